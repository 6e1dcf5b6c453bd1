"""Which thresholds by label belong together, from the most careful ones to none at all?

A student's score means more for one label than for another. What it means is estimated on
texts whose teacher's answer is known, and one number, the agreement to be expected, then sets
the thresholds of all labels at once.
"""

from dataclasses import dataclass

import numpy as np

from llkd.types import BoolArray, FloatArray, IntArray

# Steps of a path, each a fiftieth of the texts. In simulations with 500 texts in each half, 200
# answered one text in a hundred more where the teacher answers the rest, and broke the promise
# about twice as often, at nearly the whole risk; where nobody does, they answered no more.
MOST_STEPS = 50
# A score closer than this to 0 or 1 counts as this close: its log-odds would have no bound.
_CLOSEST = 1e-9
# Flatter than this, and a score would say nothing within its label.
_FLATTEST = 0.05
_MOST_NEWTON_STEPS = 50
_STILL = 1e-10


@dataclass(frozen=True)
class Observed:
    """What a student said of N texts whose teacher's answer is known.

    Attributes:
        predicted: [N], its labels, in 0..K-1.
        score: [N], its probabilities of them, in [0, 1].
        agrees: [N], whether the teacher says the same.
    """

    predicted: IntArray
    score: FloatArray
    agrees: BoolArray

    def __post_init__(self) -> None:
        if not len(self.predicted) == len(self.score) == len(self.agrees):
            raise ValueError(
                f"{len(self.predicted)} labels, {len(self.score)} scores and "
                f"{len(self.agrees)} comparisons are not of the same texts"
            )

    def __len__(self) -> int:
        return len(self.predicted)

    def answered(self, thresholds: FloatArray) -> BoolArray:
        """[N], which texts the student answers itself under the [K] thresholds."""
        reached: BoolArray = self.score >= thresholds[self.predicted]
        return reached


@dataclass(frozen=True)
class ExpectedAgreement:
    """Log-odds that the teacher agrees: `slope` times those of the score, plus the label's own.

    Attributes:
        slope: above 0; 1 where scores are as sure as they should be.
        offsets: [K]; 0 where scores of the label are neither too sure nor too shy.
    """

    slope: float
    offsets: FloatArray

    def of(self, observed: Observed) -> FloatArray:
        """[N], the log-odds for each text."""
        own: FloatArray = self.offsets[observed.predicted]
        return self.slope * _log_odds(observed.score) + own

    def thresholds(self, level: float) -> FloatArray:
        """[K], the score from which on a label's log-odds reach the level; inf where none does."""
        needed = (level - self.offsets) / self.slope
        scores: FloatArray = np.exp(-np.logaddexp(0.0, -needed))
        return np.where(needed > _log_odds(np.ones(1))[0], np.inf, scores)


def expect_agreement(observed: Observed, *, class_count: int) -> ExpectedAgreement:
    """Fit by penalised maximum likelihood.

    The slope is drawn to 1 and every offset to one that all labels share, itself drawn to 0,
    each by a normal prior of variance 1. So a label with few texts is treated as the others
    are until it has shown otherwise, and with no text at all the score is taken as it is.
    """
    features = np.zeros((len(observed), class_count + 2))
    features[:, 0] = _log_odds(observed.score)
    features[:, 1] = 1.0
    features[np.arange(len(observed)), 2 + observed.predicted] = 1.0
    usual = np.zeros(class_count + 2)
    usual[0] = 1.0
    fitted = _fit(features, observed.agrees.astype(np.float64), usual)
    return ExpectedAgreement(max(_FLATTEST, float(fitted[0])), fitted[1] + fitted[2:])


def threshold_path(shaping: Observed, *, class_count: int) -> FloatArray:
    """Thresholds of all labels, step by step, each step answering no less than the one before.

    Args:
        shaping: texts that have no other say in the thresholds.

    Returns:
        [S, K] with S at most `MOST_STEPS`; the last row is 0: everything is answered.
    """
    agreement = expect_agreement(shaping, class_count=class_count)
    levels = np.unique(agreement.of(shaping))[::-1]
    # Between two texts and not at one: what a processor rounds otherwise tips no text over.
    between = (levels[:-1] + levels[1:]) / 2
    if len(between) >= MOST_STEPS:
        chosen = np.linspace(0, len(between) - 1, num=MOST_STEPS - 1).round().astype(np.int64)
        between = between[chosen]
    steps = [agreement.thresholds(float(level)) for level in between]
    path: FloatArray = np.stack([*steps, np.zeros(class_count)])
    return path


def _log_odds(score: FloatArray) -> FloatArray:
    kept = np.clip(score, _CLOSEST, 1 - _CLOSEST)
    odds: FloatArray = np.log(kept) - np.log1p(-kept)
    return odds


def _fit(features: FloatArray, agrees: FloatArray, usual: FloatArray) -> FloatArray:
    """Newton's method; the penalty makes the one minimum sharp, whatever the texts are."""

    def penalised(weights: FloatArray) -> float:
        logits = features @ weights
        gap = weights - usual
        return float((np.logaddexp(0.0, logits) - agrees * logits).sum() + gap @ gap / 2)

    weights = usual.copy()
    reached = penalised(weights)
    for _ in range(_MOST_NEWTON_STEPS):
        expected = np.exp(-np.logaddexp(0.0, -(features @ weights)))
        slope = features.T @ (expected - agrees) + weights - usual
        spread = (features * (expected * (1 - expected))[:, None]).T @ features
        step = np.linalg.solve(spread + np.eye(len(weights)), slope)
        share = 1.0
        while penalised(weights - share * step) > reached and share > _STILL:
            share /= 2
        weights = weights - share * step
        before, reached = reached, penalised(weights)
        if before - reached < _STILL * (1 + abs(reached)):
            break
    return weights
