"""LLKD's selector: keep what the teacher is sure of and the student is not."""

from typing import Any

import numpy as np

from llkd.selection.adaptive_threshold import AdaptiveThreshold
from llkd.selection.base import Selection
from llkd.types import BoolArray, FloatArray, IntArray, Json

# Ten empty batches of 32 are a third of a pass over a thousand texts: thresholds that keep
# nothing for so long have run away from the student and will not come back by themselves.
STARVED_AFTER = 10

# A weight of exactly zero would make sum(w) zero when a student is certain of every text.
_SMALLEST_WEIGHT = 1e-6


class DualThreshold:
    """Two adaptive thresholds a class, one for each signal.

    keep_i = [p_i >= tau^T(y_i)] and [u_i >= tau^S(y_i)],  w_i = p_i u_i,
    where p is the teacher's confidence and u the student's uncertainty.

    A text whose confidence is unknown (NaN) passes the teacher's gate, weighs as if p were
    1 and leaves the teacher's thresholds as they are: unknown is not low.

    Source: the two gates, the weight and the moving averages follow the description of
    LLKD (arXiv 2411.08028); the rest is told at `AdaptiveThreshold`.
    """

    def __init__(self, class_count: int, *, momentum: float | None) -> None:
        self._teacher = AdaptiveThreshold(class_count, momentum=momentum)
        self._student = AdaptiveThreshold(class_count, momentum=momentum)
        self._empty_batches = 0
        self._rescues = 0

    @property
    def needs_uncertainty(self) -> bool:
        return True

    def select(
        self, labels: IntArray, confidence: FloatArray, uncertainty: FloatArray
    ) -> Selection:
        """Update both thresholds from the whole batch, then gate it.

        Args:
            labels: [B], pseudo-labels in 0..K-1.
            confidence: [B], in [0, 1]; NaN when unknown.
            uncertainty: [B], in [0, 1].

        Raises:
            ValueError: an uncertainty is NaN; this selector cannot work without.
        """
        if np.isnan(uncertainty).any():
            raise ValueError("this selector needs the student's uncertainty of every text")
        self._teacher.observe(labels, confidence)
        self._student.observe(labels, uncertainty)
        keep = self._gate(labels, confidence, uncertainty)
        self._empty_batches = 0 if keep.any() else self._empty_batches + 1
        if self._empty_batches >= STARVED_AFTER:
            self._student.move_to(float(np.median(uncertainty)))
            self._rescues += 1
            self._empty_batches = 0
            keep = self._gate(labels, confidence, uncertainty)
        known = np.where(np.isnan(confidence), 1.0, confidence)
        return Selection(keep, np.maximum(known * uncertainty, _SMALLEST_WEIGHT))

    def _gate(self, labels: IntArray, confidence: FloatArray, uncertainty: FloatArray) -> BoolArray:
        sure = self._teacher.reached(labels, confidence) | np.isnan(confidence)
        return sure & self._student.reached(labels, uncertainty)

    def thresholds(self) -> Json:
        """Both signals' thresholds, and how often starvation moved the student's."""
        return {
            "teacher": self._teacher.report(),
            "student": self._student.report(),
            "rescues": self._rescues,
        }

    def state(self) -> Json:
        return {
            "teacher": self._teacher.state(),
            "student": self._student.state(),
            "empty_batches": self._empty_batches,
            "rescues": self._rescues,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._teacher.restore(state["teacher"])
        self._student.restore(state["student"])
        self._empty_batches = state["empty_batches"]
        self._rescues = state["rescues"]
