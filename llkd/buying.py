"""Which texts are worth a teacher's answer, round by round, and when no more are?

The student that looks first is a cheap one: a logistic regression on text vectors, fitted
on the answers bought so far. It takes a second where the real student takes minutes, and
what it is unsure of, the real one has to learn. Source of the idea that a small model
chooses for a larger one: Coleman et al. (2020), arXiv 1906.11829; the rule is ours.
"""

import math
from dataclasses import dataclass

import numpy as np

from llkd.estimated_confidence import (
    ConfidenceEstimate,
    Vectors,
    choose_confidence,
    estimate_confidence,
    fit_and_predict,
)
from llkd.types import BoolArray, FloatArray, IntArray, Pool
from llkd.uncertainty import normalized_entropy

# The first round, all of it by lot: of the pool, and at least.
FIRST_SHARE = 0.03
FIRST_LEAST = 100
# Each later round, as a share of what was asked before it.
GROWTH = 0.25
# Of each later round, this share is bought by lot: without it nobody would know how good
# the teacher is on the texts that the rule leaves.
AUDIT_SHARE = 0.1
# Of the texts of a class: those below are too likely answered wrong, or known already.
RIGHTNESS_QUANTILE = 0.5
UNCERTAINTY_QUANTILE = 0.3
# Answered texts whose confidences say how right an answer nearby would be.
_NEIGHBOURS = 10
_MOST_NEIGHBOURS_AMONG = 20_000
# Texts that one round looks at, at the most.
_MOST_CANDIDATES = 50_000
_ROWS_AT_ONCE = 2_048
# Leave less than the precision of a float64.
_HALVINGS = 60
# A doubling of the answers that is expected to bring less agreement is not worth its price.
LEAST_GAIN_A_DOUBLING = 0.01
_FEWEST_ROUNDS = 8
_UNASKED = -1


@dataclass(frozen=True)
class Round:
    """What was known after a round of answers.

    Attributes:
        asked: texts put to the teacher so far.
        answered: those that got a label.
        audited: those among the answered that were chosen by lot.
        agreement: share of the audited ones on which the cheap student, fitted without
            them, says what the teacher says; None before it could be fitted.
    """

    asked: int
    answered: int
    audited: int
    agreement: float | None


class Buyer:
    """Chooses what to ask, from what was answered; equal answers lead to equal choices.

    Use: `choose`, ask the teacher, `note` what it said, until `choose` returns nothing.

    Args:
        vectors: [N, H], of length 1.
        class_count: K.
        seed: of everything drawn by lot.
    """

    def __init__(self, vectors: Vectors, *, class_count: int, seed: int) -> None:
        self._vectors = vectors
        self._class_count = class_count
        self._seed = seed
        self._asked: BoolArray = np.zeros(len(vectors), dtype=np.bool_)
        self._audit: BoolArray = np.zeros(len(vectors), dtype=np.bool_)
        self._labels: IntArray = np.full(len(vectors), _UNASKED, dtype=np.int64)
        self._confidence: FloatArray = np.full(len(vectors), np.nan)
        self._estimate: ConfidenceEstimate | None = None
        self.rounds: list[Round] = []

    @property
    def audit(self) -> IntArray:
        """Places that were chosen by lot."""
        return np.flatnonzero(self._audit)

    @property
    def is_worth_it(self) -> bool:
        """Whether more answers are expected to bring what they cost.

        A straight line of agreement over the logarithm of the answers, through all rounds,
        says what a doubling would bring. It is not worth it when even one standard error
        more than that is less than a hundredth. Eight rounds are bought in any case.
        """
        gain = self._gain_a_doubling()
        return gain is None or gain >= LEAST_GAIN_A_DOUBLING

    def choose(self, *, most: int) -> IntArray:
        """Places to ask about next, at most so many; none when it is not worth it."""
        left = np.flatnonzero(~self._asked)
        if not len(left):
            return left
        generator = np.random.default_rng([self._seed, len(self.rounds)])
        left = generator.permutation(left)
        if not self.rounds:
            first = min(most, max(FIRST_LEAST, round(FIRST_SHARE * len(self._asked))))
            self._audit[left[:first]] = True
            return np.sort(left[:first])
        if not self.is_worth_it:
            return np.arange(0)
        count = min(most, len(left), math.ceil(GROWTH * int(self._asked.sum())))
        by_lot = left[: math.ceil(AUDIT_SHARE * count)]
        self._audit[by_lot] = True
        chosen = self._promising(left[len(by_lot) :], count - len(by_lot))
        return np.sort(np.concatenate([by_lot, chosen]))

    def note(self, places: IntArray, labels: IntArray, confidence: FloatArray) -> None:
        """Take what the teacher said.

        Args:
            places: [B], as they were chosen.
            labels: [B], in 0..K-1; -1 where there is none.
            confidence: [B], NaN where unknown.
        """
        self._asked[places] = True
        self._labels[places] = labels
        self._confidence[places] = confidence
        answered = self._answered()
        pool = self._pool_of(answered)
        self._estimate = None
        agreement = None
        if len(np.unique(pool.labels)) > 1:
            self._estimate = estimate_confidence(self._vectors[answered], pool, seed=self._seed)
            audited = self._audit[answered]
            if audited.any():
                same = self._estimate.predicted[audited] == pool.labels[audited]
                agreement = float(same.mean())
        self.rounds.append(
            Round(
                asked=int(self._asked.sum()),
                answered=len(answered),
                audited=int(self._audit[answered].sum()),
                agreement=agreement,
            )
        )

    def _promising(self, candidates: IntArray, count: int) -> IntArray:
        """Of these, in order of a lot: uncertain, likely to be answered right, of all classes."""
        if self._estimate is None:
            return candidates[:count]
        candidates = candidates[:_MOST_CANDIDATES]
        answered = self._answered()
        pool = self._pool_of(answered)
        probabilities = fit_and_predict(
            self._vectors[answered], pool.labels, self._vectors[candidates], self._class_count
        )
        taken_for = probabilities.argmax(axis=1)
        uncertain = _upper(taken_for, normalized_entropy(probabilities), UNCERTAINTY_QUANTILE)
        likely_right = _upper(taken_for, self._rightness(pool, candidates), RIGHTNESS_QUANTILE)
        # Those that pass both first, in order of the lot.
        order = np.argsort(~(uncertain & likely_right), kind="stable")
        have = np.bincount(pool.labels, minlength=self._class_count)
        return candidates[_fill_evenly(taken_for, order, have=have, count=count)]

    def _rightness(self, pool: Pool, candidates: IntArray) -> FloatArray:
        """[M], mean confidence of the answers nearby; 1 where no confidence tells anything."""
        assert self._estimate is not None
        used = choose_confidence(pool, self._estimate)
        if used == "none":
            return np.ones(len(candidates))
        # Of both, the teacher's: the estimated one is low where the cheap student is unsure,
        # which is just what the other gate asks for.
        values = self._estimate.values if used == "estimated" else pool.confidence
        known = np.flatnonzero(~np.isnan(values))[-_MOST_NEIGHBOURS_AMONG:]
        near = min(_NEIGHBOURS, len(known))
        vectors = self._vectors[self._answered()[known]]
        means = []
        for start in range(0, len(candidates), _ROWS_AT_ONCE):
            some = candidates[start : start + _ROWS_AT_ONCE]
            closeness = self._vectors[some] @ vectors.T
            nearest = np.argpartition(-closeness, near - 1, axis=1)[:, :near]
            means.append(values[known][nearest].mean(axis=1))
        return np.concatenate(means)

    def _gain_a_doubling(self) -> float | None:
        """The slope and its standard error; None while there are too few rounds."""
        measured = [(r.answered, r.agreement) for r in self.rounds if r.agreement is not None]
        if len(measured) < _FEWEST_ROUNDS:
            return None
        doublings = np.log2([answered for answered, _ in measured])
        slopes, spread = np.polyfit(
            doublings, [agreement for _, agreement in measured], 1, cov=True
        )
        return float(slopes[0] + math.sqrt(spread[0, 0]))

    def _answered(self) -> IntArray:
        return np.flatnonzero(self._labels != _UNASKED)

    def _pool_of(self, places: IntArray) -> Pool:
        texts = [""] * len(places)
        return Pool(texts, self._labels[places], self._confidence[places], self._class_count)


def _upper(classes: IntArray, values: FloatArray, quantile: float) -> BoolArray:
    """[M], True for what is not below this quantile of its class."""
    reached = np.zeros(len(values), dtype=np.bool_)
    for c in np.unique(classes):
        members = classes == c
        reached[members] = values[members] >= np.quantile(values[members], quantile)
    return reached


def _fill_evenly(classes: IntArray, order: IntArray, *, have: IntArray, count: int) -> IntArray:
    """Places of `count` members, the first of each class in this order.

    The totals of the classes come as close as they can to the square roots of how often
    they occur: even shares would ask mostly for what is hardly there.
    """
    queues = [order[classes[order] == c] for c in range(len(have))]
    sizes = np.array([len(queue) for queue in queues])
    taken = _shares(have, sizes, weights=np.sqrt(have + sizes + 1.0), count=count)
    return np.concatenate([queue[:number] for queue, number in zip(queues, taken, strict=True)])


def _shares(have: IntArray, sizes: IntArray, *, weights: FloatArray, count: int) -> list[int]:
    """How many of each class to take so that the totals are in proportion to the weights."""
    low, high = 0.0, float(((have + sizes) / weights).max()) + 1.0
    for _ in range(_HALVINGS):
        level = (low + high) / 2
        if int(np.clip(level * weights - have, 0, sizes).sum()) <= count:
            low = level
        else:
            high = level
    taken = np.floor(np.clip(low * weights - have, 0, sizes)).astype(np.int64)
    # Rounding leaves less than one a class.
    emptiest = np.argsort((have + taken) / weights, kind="stable")
    for c in emptiest[taken[emptiest] < sizes[emptiest]]:
        if taken.sum() < min(count, sizes.sum()):
            taken[c] += 1
    return [int(number) for number in taken]
