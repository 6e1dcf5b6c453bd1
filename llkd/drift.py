"""Whether what a model answers now looks like what it answered when it was validated."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from llkd.types import FloatArray, IntArray

SCORE_BINS = 10
# A share of zero has no logarithm; one text in ten thousand is as good as none.
LEAST_SHARE = 1e-4
# Texts that the answers are compared over: enough that ten bins hold hundreds each.
WINDOW = 5000
# Beneath this many texts chance alone moves the index beyond its usual alarm.
LEAST_TEXTS = 500


@dataclass(frozen=True)
class Reference:
    """How a model answered its validation texts.

    Attributes:
        scores: [SCORE_BINS], share of texts whose best score lies in each tenth of [0, 1].
        labels: [K], share of texts that got each label, in the order of the model's labels.
    """

    scores: FloatArray
    labels: FloatArray

    @classmethod
    def of(cls, scores: FloatArray, labels: IntArray, *, class_count: int) -> Self:
        """The reference that the best scores [N] and labels [N] of validation texts make.

        Args:
            class_count: K.

        Raises:
            ValueError: there are no texts.
        """
        if not len(scores):
            raise ValueError("a reference needs texts")
        counts = AnswerCounts.of(scores, labels, class_count=class_count)
        return cls(counts.scores / len(scores), counts.labels / len(scores))


@dataclass
class AnswerCounts:
    """How often each tenth of the best score, and each label, was answered.

    Attributes:
        scores: [SCORE_BINS].
        labels: [K].
    """

    scores: IntArray
    labels: IntArray

    @classmethod
    def none(cls, class_count: int) -> Self:
        return cls(np.zeros(SCORE_BINS, dtype=np.int64), np.zeros(class_count, dtype=np.int64))

    @classmethod
    def of(cls, scores: FloatArray, labels: IntArray, *, class_count: int) -> Self:
        """The counts of the best scores [N] and labels [N]."""
        tenths = np.minimum(scores * SCORE_BINS, SCORE_BINS - 1).astype(np.int64)
        return cls(
            np.bincount(tenths, minlength=SCORE_BINS),
            np.bincount(labels, minlength=class_count),
        )

    @property
    def texts(self) -> int:
        return int(self.labels.sum())

    def plus(self, other: "AnswerCounts") -> "AnswerCounts":
        return AnswerCounts(self.scores + other.scores, self.labels + other.labels)


class RollingAnswers:
    """The answers to the last texts: between half of WINDOW and all of it, in two halves.

    At first they are fewer, and a request that is larger than a half is counted as a whole.

    Not safe to call from several threads at once.
    """

    def __init__(self, class_count: int) -> None:
        self._class_count = class_count
        self._older = AnswerCounts.none(class_count)
        self._newer = AnswerCounts.none(class_count)
        self._texts = 0

    def count(self, probabilities: FloatArray) -> None:
        """Take answers [N, K] into account."""
        self._newer = self._newer.plus(
            AnswerCounts.of(
                probabilities.max(axis=1),
                probabilities.argmax(axis=1),
                class_count=self._class_count,
            )
        )
        self._turn(len(probabilities))

    def score_drift(self, reference: Reference) -> float:
        """The index of the best scores; NaN before LEAST_TEXTS."""
        recent = self.recent()
        return population_stability(reference.scores, recent.scores, texts=recent.texts)

    def label_drift(self, reference: Reference) -> float:
        """The index of the labels' shares; NaN before LEAST_TEXTS."""
        recent = self.recent()
        return population_stability(reference.labels, recent.labels, texts=recent.texts)

    def recent(self) -> AnswerCounts:
        """What both indices are of."""
        return self._older.plus(self._newer)

    def _turn(self, texts: int) -> None:
        self._texts += texts
        if self._texts >= WINDOW // 2:
            self._older = self._newer
            self._newer = AnswerCounts.none(self._class_count)
            self._texts = 0


def population_stability(reference: FloatArray, counts: IntArray, *, texts: int) -> float:
    """The population stability index between reference shares and observed counts.

    By custom, below 0.1 is stable, above 0.25 is another population.

    Args:
        reference: [B], shares that sum to 1.
        counts: [B], how often each bin was seen.
        texts: the sum of `counts`.

    Returns:
        Sum over bins of (observed - reference) * ln(observed / reference), at least 0; NaN
        with fewer than LEAST_TEXTS texts.

    Source: the index is Jeffreys' divergence of the two distributions (Jeffreys 1946, An
        invariant form for the prior probability in estimation problems); the custom is told
        in Siddiqi, Credit Risk Scorecards (2006).
    """
    if texts < LEAST_TEXTS:
        return float("nan")
    expected = np.maximum(reference, LEAST_SHARE)
    observed = np.maximum(counts / texts, LEAST_SHARE)
    return float(((observed - expected) * np.log(observed / expected)).sum())
