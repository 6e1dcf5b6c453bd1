"""Where the texts of a batch lie between the teacher's threshold and the student's."""

from dataclasses import dataclass

import numpy as np

from llkd.selection.adaptive_threshold import SLACK
from llkd.selection.base import Batch
from llkd.types import BoolArray, FloatArray, IntArray, Json


@dataclass(frozen=True)
class Thresholds:
    """What the scores of each class had to reach in one batch.

    Attributes:
        confidence: [K], of the teacher; None where the selector asks for none.
        uncertainty: [K], of the student; None where it asks for none.
    """

    confidence: FloatArray | None
    uncertainty: FloatArray | None

    @classmethod
    def of(cls, told: Json) -> "Thresholds":
        """Read them off what a selector tells a person."""
        return cls(_by_class(told, "teacher"), _by_class(told, "student"))


@dataclass(frozen=True)
class Quadrants:
    """Texts of one batch, by what they reached.

    What nothing asks for, and a confidence that is unknown, hold no text back: such texts
    count as beyond the threshold. So LLKD keeps exactly those in `confident_uncertain`.
    """

    confident_uncertain: int
    confident_certain: int
    doubtful_uncertain: int
    doubtful_certain: int

    @classmethod
    def of(cls, batch: Batch, thresholds: Thresholds) -> "Quadrants":
        confident = _passes(batch.confidence, batch.labels, thresholds.confidence)
        uncertain = _passes(batch.uncertainty, batch.labels, thresholds.uncertainty)
        return cls(
            confident_uncertain=int((confident & uncertain).sum()),
            confident_certain=int((confident & ~uncertain).sum()),
            doubtful_uncertain=int((~confident & uncertain).sum()),
            doubtful_certain=int((~confident & ~uncertain).sum()),
        )


def _by_class(told: Json, who: str) -> FloatArray | None:
    return np.array(told[who]["by_class"]) if who in told else None


def _passes(values: FloatArray, labels: IntArray, threshold: FloatArray | None) -> BoolArray:
    if threshold is None:
        return np.ones(len(values), dtype=np.bool_)
    passed: BoolArray = (values >= threshold[labels] - SLACK) | np.isnan(values)
    return passed
