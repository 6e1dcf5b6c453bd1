"""LLKD's selector, and each of its two gates alone."""

import numpy as np

from llkd.selection.adaptive_threshold import AdaptiveThreshold
from llkd.selection.base import Batch, Selection
from llkd.types import BoolArray, FloatArray, Json

# Ten empty batches of 32 are a third of a pass over a thousand texts: thresholds that keep
# nothing for so long have run away from the student and will not come back by themselves.
STARVED_AFTER = 10

# A weight of exactly zero would make sum(w) zero when a student is certain of every text.
_SMALLEST_WEIGHT = 1e-6


class TeacherGate:
    """Keep what the teacher is sure of: p_i >= tau^T(y_i), w_i = p_i.

    A text whose confidence is unknown (NaN) passes, weighs as if p were 1 and leaves the
    thresholds as they are: unknown is not low.
    """

    def __init__(self, class_count: int, *, momentum: float | None) -> None:
        self._threshold = AdaptiveThreshold(class_count, momentum=momentum)

    @property
    def needs_uncertainty(self) -> bool:
        return False

    def select(self, batch: Batch) -> Selection:
        self._threshold.observe(batch.labels, batch.confidence)
        unknown = np.isnan(batch.confidence)
        keep = self._threshold.reached(batch.labels, batch.confidence) | unknown
        return Selection(keep, np.where(unknown, 1.0, _usable(batch.confidence)))

    def thresholds(self) -> Json:
        return {"teacher": self._threshold.report()}

    def state(self) -> Json:
        return {"teacher": self._threshold.state()}

    def restore(self, state: Json) -> None:
        self._threshold.restore(state["teacher"])


class StudentGate:
    """Keep what the student is unsure of: u_i >= tau^S(y_i), w_i = u_i.

    If nothing of what it is offered is kept for ten batches, the threshold moves to the
    median of the batch.
    """

    def __init__(self, class_count: int, *, momentum: float | None) -> None:
        self._threshold = AdaptiveThreshold(class_count, momentum=momentum)
        self._empty_batches = 0
        self._rescues = 0

    @property
    def needs_uncertainty(self) -> bool:
        return True

    def select(self, batch: Batch) -> Selection:
        """As `Selector` has it.

        Raises:
            ValueError: an uncertainty is NaN; this selector cannot work without.
        """
        return self.select_among(batch, np.ones(len(batch), dtype=np.bool_))

    def select_among(self, batch: Batch, offered: BoolArray) -> Selection:
        """`select`, keeping nothing but what is offered; the whole batch moves the threshold."""
        if np.isnan(batch.uncertainty).any():
            raise ValueError("this selector needs the student's uncertainty of every text")
        self._threshold.observe(batch.labels, batch.uncertainty)
        keep = offered & self._threshold.reached(batch.labels, batch.uncertainty)
        self._empty_batches = 0 if keep.any() else self._empty_batches + 1
        if self._empty_batches >= STARVED_AFTER:
            self._threshold.move_to(float(np.median(batch.uncertainty)))
            self._rescues += 1
            self._empty_batches = 0
            keep = offered & self._threshold.reached(batch.labels, batch.uncertainty)
        return Selection(keep, _usable(batch.uncertainty))

    def thresholds(self) -> Json:
        """The thresholds, and how often starvation moved them."""
        return {"student": self._threshold.report(), "rescues": self._rescues}

    def state(self) -> Json:
        return {
            "student": self._threshold.state(),
            "empty_batches": self._empty_batches,
            "rescues": self._rescues,
        }

    def restore(self, state: Json) -> None:
        self._threshold.restore(state["student"])
        self._empty_batches = state["empty_batches"]
        self._rescues = state["rescues"]


class DualGate:
    """LLKD: teacher confident and student uncertain.

    keep_i = [p_i >= tau^T(y_i)] and [u_i >= tau^S(y_i)],  w_i = p_i u_i.

    Source: the two gates, the weight and the moving averages follow the description of
    LLKD (arXiv 2411.08028); the rest is told at `AdaptiveThreshold`.
    """

    def __init__(self, class_count: int, *, momentum: float | None) -> None:
        self._teacher = TeacherGate(class_count, momentum=momentum)
        self._student = StudentGate(class_count, momentum=momentum)

    @property
    def needs_uncertainty(self) -> bool:
        return True

    def select(self, batch: Batch) -> Selection:
        """As `Selector` has it.

        Raises:
            ValueError: an uncertainty is NaN; this selector cannot work without.
        """
        sure = self._teacher.select(batch)
        both = self._student.select_among(batch, sure.keep)
        return Selection(both.keep, _usable(sure.weights * both.weights))

    def thresholds(self) -> Json:
        return self._teacher.thresholds() | self._student.thresholds()

    def state(self) -> Json:
        return self._teacher.state() | self._student.state()

    def restore(self, state: Json) -> None:
        self._teacher.restore(state)
        self._student.restore(state)


def _usable(weights: FloatArray) -> FloatArray:
    return np.maximum(weights, _SMALLEST_WEIGHT)
