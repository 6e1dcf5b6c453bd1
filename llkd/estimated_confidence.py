"""How likely is a pseudo-label right, judged by the pool alone?

For teachers that give labels without confidences, and for those whose confidences tell
nothing: a cheap model that never saw a text says how well its label fits the others'.
"""

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from llkd.types import FloatArray, IntArray, Pool

Vectors = NDArray[np.float32] | NDArray[np.float64]
Used = Literal["given", "estimated", "both", "none"]

FOLDS = 5
# Texts that one fold's model is fitted on at the most: more do not make it better.
_MOST_FITTED = 20_000
# Inverse strength of the penalty, for vectors of length 1; that of the few-shot teacher.
_STRENGTH = 10.0
# A class with fewer known confidences says nothing about their ranks.
_FEWEST_RANKED = 10

# Below this skill an estimate is worse than training on everything; below this agreement
# a given confidence is noise. Source: measured on seven sets of real answers by the
# prototypes that docs/method.md names.
LEAST_SKILL = 0.3
LEAST_AGREEMENT = 0.1


@dataclass(frozen=True)
class ConfidenceEstimate:
    """What a cheap model makes of the pseudo-labels.

    Attributes:
        values: [N], the out-of-fold probability of each text's own pseudo-label, in [0, 1].
        predicted: [N], the label with the highest one, in 0..K-1.
        top: [N], that highest one.
        skill: (accuracy - majority) / (1 - majority), both against the pseudo-labels; 1 if
            the model repeats the teacher, 0 if it is no better than always saying the most
            frequent label.
        agreement: mean over classes of Spearman's rank correlation, in [-1, 1], of given and
            estimated confidences; None where the given ones are unknown or all the same.
    """

    values: FloatArray
    predicted: IntArray
    top: FloatArray
    skill: float
    agreement: float | None


def estimate_confidence(vectors: Vectors, pool: Pool, *, seed: int) -> ConfidenceEstimate:
    """Cross-validate a logistic regression from text vectors to pseudo-labels.

    Args:
        vectors: [N, H], of length 1.
        pool: the N texts with their labels; at least two labels occur.
        seed: equal seeds divide the pool equally.
    """
    fold = _stratified_folds(pool, seed=seed)
    # By lot: a file may have its classes one after another.
    order = np.random.default_rng([seed, 1]).permutation(len(pool))
    probabilities = np.zeros((len(pool), pool.class_count))
    for number in range(FOLDS):
        out = fold == number
        if out.any():
            fitted_on = order[~out[order]][:_MOST_FITTED]
            probabilities[out] = fit_and_predict(
                vectors[fitted_on], pool.labels[fitted_on], vectors[out], pool.class_count
            )
    values = probabilities[np.arange(len(pool)), pool.labels]
    predicted = probabilities.argmax(axis=1)
    right = float((predicted == pool.labels).mean())
    majority = float(np.bincount(pool.labels).max() / len(pool))
    skill = (right - majority) / (1 - majority) if majority < 1 else 0.0
    return ConfidenceEstimate(
        values,
        predicted=predicted,
        top=probabilities.max(axis=1),
        skill=skill,
        agreement=_agreement(pool, values),
    )


def choose_confidence(pool: Pool, estimate: ConfidenceEstimate) -> Used:
    """Which confidence a selection should read.

    The given one is worth reading where it is known for most texts and its ranks within a
    class agree with the estimated ones at least a little; the estimated one where the cheap
    model has skill. Where both are, both: a teacher and a model of its other answers err on
    different texts. Where neither is, none: every sample then passes the teacher's gate.
    """
    known = float((~np.isnan(pool.confidence)).mean())
    agrees = estimate.agreement is not None and estimate.agreement >= LEAST_AGREEMENT
    is_skilled = estimate.skill >= LEAST_SKILL
    if known > 0.5 and agrees:
        return "both" if is_skilled else "given"
    return "estimated" if is_skilled else "none"


def read_confidence(used: Used, given: FloatArray, estimated: FloatArray) -> FloatArray:
    """[N], what a selection reads: NaN where nothing is known.

    Both are read as their mean; where a given one is not known, as the estimated one.
    """
    if used == "given":
        return given
    if used == "estimated":
        return estimated
    if used == "both":
        return np.where(np.isnan(given), estimated, (given + estimated) / 2)
    return np.full_like(given, np.nan)


def fit_and_predict(
    vectors: Vectors, labels: IntArray, asked: Vectors, class_count: int
) -> FloatArray:
    """The cheap model's probabilities, [M, K], of texts with these vectors.

    A class that was not fitted on has the probability 0.
    """
    probabilities = np.zeros((len(asked), class_count))
    seen = np.unique(labels)
    if len(seen) == 1:
        probabilities[:, seen[0]] = 1.0
        return probabilities
    model = LogisticRegression(C=_STRENGTH, max_iter=200)
    with warnings.catch_warnings():
        # Almost converged ranks texts as well as converged.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(vectors, labels)
    probabilities[:, seen] = model.predict_proba(asked)
    return probabilities


def ranks_of(values: FloatArray) -> FloatArray:
    """From 1 on; equal values share the mean of their ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    shared: FloatArray = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return shared


def _stratified_folds(pool: Pool, *, seed: int) -> IntArray:
    """[N], the fold of each text; each class is spread evenly over all of them."""
    generator = np.random.default_rng(seed)
    fold = np.zeros(len(pool), dtype=np.int64)
    for c in range(pool.class_count):
        members = generator.permutation(np.flatnonzero(pool.labels == c))
        fold[members] = (np.arange(len(members)) + c) % FOLDS
    return fold


def _agreement(pool: Pool, values: FloatArray) -> float | None:
    correlations: list[float] = []
    sizes: list[int] = []
    for c in range(pool.class_count):
        members = (pool.labels == c) & ~np.isnan(pool.confidence)
        given, estimated = pool.confidence[members], values[members]
        # Rounding apart, equal values have no ranks.
        if len(given) >= _FEWEST_RANKED and np.ptp(given) > 1e-9 and np.ptp(estimated) > 1e-9:
            correlations.append(float(np.corrcoef(ranks_of(given), ranks_of(estimated))[0, 1]))
            sizes.append(len(given))
    return float(np.average(correlations, weights=sizes)) if correlations else None
