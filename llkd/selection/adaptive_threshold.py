"""What a score must reach now, for each class, as training goes on."""

import numpy as np

from llkd.types import BoolArray, FloatArray, IntArray, Json

# A mean of equal numbers may differ from them in the last bits; without this slack a
# teacher that always says 0.9 would, by rounding alone, never reach its own mean.
SLACK = 1e-9
# Share of the texts whose classes may set the scale for all others.
_SUPPORT = 0.1


class AdaptiveThreshold:
    """A global moving average of one signal, lowered for classes that score lower.

    With the batch's known values v, before anything is gated by them:

        tau_1 = mean(v)            tau_t  = m_t tau_{t-1}  + (1 - m_t) mean(v)
        a_1(c) = mean_c(v)         a_t(c) = m_t a_{t-1}(c) + (1 - m_t) mean_c(v)
        tau_t(c) = tau_t min(1, a_t(c) / A_t)

    A is the highest a(c) that at least a tenth of the texts seen so far reach, by their
    class. With ten classes of like size or fewer it is the maximum. A class of a few texts
    that no student learns would, as the maximum, lower the thresholds of all others to
    nothing.

    a(c) moves only when class c is in the batch and starts at its first mean. A class not
    seen yet has the share 1. Values that are NaN are unknown and move nothing.

    Source: the shape of FreeMatch's self-adaptive threshold (arXiv 2205.07246), which has
    the maximum in place of A. Ours: A; the class term is the mean over the class's own texts
    rather than the batch's marginal; the first batch initialises rather than 1/K.
    """

    def __init__(self, class_count: int, *, momentum: float | None) -> None:
        self._momentum = momentum
        self._batches = 0
        self._level: float | None = None
        self._class_level = np.zeros(class_count)
        # Texts of each class so far.
        self._counts = np.zeros(class_count, dtype=np.int64)

    def observe(self, labels: IntArray, values: FloatArray) -> None:
        """Move the averages by one batch.

        Args:
            labels: [B], in 0..K-1.
            values: [B], in [0, 1]; NaN when unknown.
        """
        known = ~np.isnan(values)
        if not known.any():
            return
        memory = memory_after(self._batches, momentum=self._momentum)
        mean = float(values[known].mean())
        self._level = mean if self._level is None else _blend(self._level, mean, memory)
        for c in np.unique(labels[known]):
            class_mean = float(values[known & (labels == c)].mean())
            level = float(self._class_level[c])
            self._class_level[c] = (
                _blend(level, class_mean, memory) if self._counts[c] else class_mean
            )
        self._counts += np.bincount(labels[known], minlength=len(self._counts))
        self._batches += 1

    def by_class(self) -> FloatArray:
        """[K], the threshold of each class; 0 before anything was observed."""
        if self._level is None:
            return np.zeros_like(self._class_level)
        highest = self._reached_by_a_tenth()
        if highest == 0:
            # Next to every value so far was zero: each class is as low as every other.
            return np.full_like(self._class_level, self._level)
        shares = np.minimum(1.0, self._class_level / highest)
        return self._level * np.where(self._counts > 0, shares, 1.0)

    def _reached_by_a_tenth(self) -> float:
        """A: the highest class level that a tenth of the texts or more reach."""
        descending = np.argsort(-self._class_level, kind="stable")
        reaching = np.cumsum(self._counts[descending])
        enough = reaching >= _SUPPORT * reaching[-1]
        return float(self._class_level[descending[int(enough.argmax())]])

    def reached(self, labels: IntArray, values: FloatArray) -> BoolArray:
        """[B], True where a value is at least its class's threshold; False where unknown."""
        return values >= self.by_class()[labels] - SLACK

    def move_to(self, level: float) -> None:
        """Set the global average; it goes on moving from there."""
        self._level = level

    def report(self) -> Json:
        """The thresholds for a person."""
        return {"level": self._level, "by_class": self.by_class().tolist()}

    def state(self) -> Json:
        return {
            "batches": self._batches,
            "level": self._level,
            "class_level": self._class_level.tolist(),
            "counts": self._counts.tolist(),
        }

    def restore(self, state: Json) -> None:
        self._batches = state["batches"]
        self._level = state["level"]
        self._class_level = np.array(state["class_level"], dtype=np.float64)
        self._counts = np.array(state["counts"], dtype=np.int64)


def memory_after(batches: int, *, momentum: float | None) -> float:
    """Share of the old value that stays when one more batch comes: `momentum`, if given.

    By default short at first and long later, min(.99, (1 + t) / (10 + t)): a constant
    long memory keeps the thresholds of a student that no longer exists.
    """
    if momentum is not None:
        return momentum
    return min(0.99, (1 + batches) / (10 + batches))


def _blend(old: float, new: float, memory: float) -> float:
    return memory * old + (1 - memory) * new
