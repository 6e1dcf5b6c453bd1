"""Pseudo-labels with all that their teacher said of them, as arrays."""

from dataclasses import dataclass

import numpy as np

from llkd.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class PseudoLabels:
    """What a teacher said of N texts, each of which it gave one of K labels.

    Attributes:
        labels: [N], in 0..K-1.
        confidence: [N], probability of each label, in [0, 1]; NaN where unknown.
        probabilities: [N, K], rows sum to 1; NaN throughout a row that is unknown.
    """

    labels: IntArray
    confidence: FloatArray
    probabilities: FloatArray

    def __post_init__(self) -> None:
        if not len(self.labels) == len(self.confidence) == len(self.probabilities):
            raise ValueError(
                f"one label, one confidence and one row of probabilities a text: "
                f"{len(self.labels)}, {len(self.confidence)}, {len(self.probabilities)}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def known(self) -> BoolArray:
        """[N], whether the confidence is known."""
        return ~np.isnan(self.confidence)

    @property
    def distributed(self) -> BoolArray:
        """[N], whether the probability of every label is known."""
        # A row is known as a whole or not at all.
        return ~np.isnan(self.probabilities[:, 0])

    def take(self, index: IntArray | BoolArray) -> "PseudoLabels":
        """Those of these texts."""
        return PseudoLabels(self.labels[index], self.confidence[index], self.probabilities[index])

    def changed(self, where: BoolArray, by: "PseudoLabels") -> "PseudoLabels":
        """The same N answers, those of the M texts at `where` [N] taken from `by`, in order."""
        labels, confidence = self.labels.copy(), self.confidence.copy()
        probabilities = self.probabilities.copy()
        labels[where], confidence[where] = by.labels, by.confidence
        probabilities[where] = by.probabilities
        return PseudoLabels(labels, confidence, probabilities)
