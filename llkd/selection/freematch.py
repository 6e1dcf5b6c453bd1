"""FreeMatch's threshold on the teacher's confidence: what LLKD's class term departs from."""

import numpy as np

from llkd.selection.adaptive_threshold import memory_after
from llkd.selection.base import Batch, Selection
from llkd.types import FloatArray, Json


class FreeMatch:
    """A global threshold, scaled by how much probability each class gets in all.

        tau_t = m_t tau_{t-1} + (1 - m_t) mean_B p              keep_i = [p_i >= tau_t(y_i)]
        g_t(c) = m_t g_{t-1}(c) + (1 - m_t) mean_B q(c)         w_i = 1
        tau_t(c) = tau_t g_t(c) / max_c' g_t(c')

    A pool holds the probability p of the pseudo-label alone, so the rest of q is taken to
    lie evenly on the other classes. Unknown confidences pass and move nothing.

    Source: Wang et al. (2023), FreeMatch, arXiv 2205.07246, where p and q are the
    student's own. Theirs start from 1/K; here the first batch does, as for LLKD.
    """

    def __init__(self, class_count: int, *, momentum: float | None) -> None:
        self._momentum = momentum
        self._batches = 0
        self._level = 0.0
        self._marginal = np.zeros(class_count)

    @property
    def needs_uncertainty(self) -> bool:
        return False

    def select(self, batch: Batch) -> Selection:
        known = ~np.isnan(batch.confidence)
        if known.any():
            p = batch.confidence[known]
            self._observe(float(p.mean()), self._spread(batch, p, known=known).mean(axis=0))
        # The slack is for means of equal numbers, which may differ in the last bits.
        reached = batch.confidence >= self._by_class()[batch.labels] - 1e-9
        return Selection(reached | ~known, np.ones(len(batch)))

    def _spread(self, batch: Batch, p: FloatArray, *, known: np.ndarray) -> FloatArray:
        """[B, K], each text's distribution as far as it is known."""
        class_count = len(self._marginal)
        rest = (1.0 - p) / max(1, class_count - 1)
        q = np.repeat(rest[:, None], class_count, axis=1)
        q[np.arange(len(p)), batch.labels[known]] = p
        return q

    def _observe(self, level: float, marginal: FloatArray) -> None:
        memory = memory_after(self._batches, momentum=self._momentum) if self._batches else 0.0
        self._level = memory * self._level + (1 - memory) * level
        self._marginal = memory * self._marginal + (1 - memory) * marginal
        self._batches += 1

    def _by_class(self) -> FloatArray:
        highest = float(self._marginal.max())
        if highest == 0:
            return np.full_like(self._marginal, self._level)
        return self._level * self._marginal / highest

    def thresholds(self) -> Json:
        return {"teacher": {"level": self._level, "by_class": self._by_class().tolist()}}

    def state(self) -> Json:
        return {
            "batches": self._batches,
            "level": self._level,
            "marginal": self._marginal.tolist(),
        }

    def restore(self, state: Json) -> None:
        self._batches = state["batches"]
        self._level = state["level"]
        self._marginal = np.array(state["marginal"], dtype=np.float64)
