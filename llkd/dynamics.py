"""What a student made of each text, every time it met it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np

from llkd.types import FloatArray, IntArray

NEVER = -1


class Dynamics:
    """Readings of N texts: a reading is what the student says of a text before it learns from it.

    A pseudo-label that the student goes on doubting, pass after pass, while it agrees with
    others of that class, is likely to be wrong.

    Source: training dynamics as in Swayamdipta et al. (2020), arXiv 2009.10795.

    Attributes:
        readings: [N], how often each text was met.
        agreed: [N], how often the student said what the teacher said.
        predicted: [N], what it said last; -1 for a text it never met.
        top: [N], how sure it was then.
    """

    def __init__(self, size: int) -> None:
        self.readings = np.zeros(size, dtype=np.int64)
        self.agreed = np.zeros(size, dtype=np.int64)
        self.predicted = np.full(size, NEVER, dtype=np.int64)
        self.top = np.zeros(size)
        self._total = np.zeros(size)
        self._squares = np.zeros(size)

    def __len__(self) -> int:
        return len(self.readings)

    def observe(self, index: IntArray, labels: IntArray, probabilities: FloatArray) -> None:
        """Take note of one reading of B different texts.

        Args:
            index: [B], their places in the pool.
            labels: [B], their pseudo-labels.
            probabilities: [B, K], the student's.
        """
        likelihood = probabilities[np.arange(len(index)), labels]
        predicted = probabilities.argmax(axis=1)
        self.readings[index] += 1
        self.agreed[index] += predicted == labels
        self.predicted[index] = predicted
        self.top[index] = probabilities.max(axis=1)
        self._total[index] += likelihood
        self._squares[index] += likelihood**2

    @property
    def likelihood(self) -> FloatArray:
        """[N], mean probability of the pseudo-label over the readings; NaN without one."""
        return self._mean_of(self._total)

    @property
    def spread(self) -> FloatArray:
        """[N], its standard deviation over the readings; NaN without one."""
        variance: FloatArray = self._mean_of(self._squares) - self.likelihood**2
        return np.sqrt(np.maximum(variance, 0.0))

    def within(self, places: IntArray, *, size: int) -> Self:
        """The same for a larger pool, in which these N texts stand at these places."""
        larger = type(self)(size)
        for name, array in vars(larger).items():
            array[places] = vars(self)[name]
        return larger

    def save(self, file: Path) -> None:
        """Write everything, exactly."""
        with file.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **dict(self._arrays()))

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(file, allow_pickle=False) as arrays:
            dynamics = cls(len(arrays["readings"]))
            for name, array in dynamics._arrays():
                array[:] = arrays[name]
        return dynamics

    def _arrays(self) -> Iterator[tuple[str, FloatArray | IntArray]]:
        for name, array in vars(self).items():
            yield name.lstrip("_"), array

    def _mean_of(self, sums: FloatArray) -> FloatArray:
        met = self.readings > 0
        mean = np.full(len(self), np.nan)
        mean[met] = sums[met] / self.readings[met]
        return mean
