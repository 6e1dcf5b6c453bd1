"""What every selector can do."""

from dataclasses import dataclass
from typing import Protocol

from llkd.types import BoolArray, FloatArray, IntArray, Json


@dataclass(frozen=True)
class Batch:
    """B samples of the pool, to be kept or left.

    Attributes:
        index: [B], places in the pool.
        labels: [B], pseudo-labels in 0..K-1.
        confidence: [B], the teacher's, in [0, 1]; NaN when unknown.
        uncertainty: [B], the student's, in [0, 1]; NaN when not asked for.
    """

    index: IntArray
    labels: IntArray
    confidence: FloatArray
    uncertainty: FloatArray

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True)
class Selection:
    """What a selector decided on one batch.

    Attributes:
        keep: [B], True where a sample is worth a gradient step.
        weights: [B], the weight of each sample in the loss, > 0 where kept.
    """

    keep: BoolArray
    weights: FloatArray


class Selector(Protocol):
    """Keeps samples. Built by `llkd.selection.factory.build_selector`."""

    @property
    def needs_uncertainty(self) -> bool:
        """Whether `select` reads the student's uncertainty; if not, its forward is saved."""
        ...

    def select(self, batch: Batch) -> Selection:
        """Decide on one batch, updating thresholds from the whole of it first."""
        ...

    def thresholds(self) -> Json:
        """The thresholds now, for reports: empty for selectors without any."""
        ...

    def state(self) -> Json:
        """All that `restore` needs, as JSON whose floats survive exactly."""
        ...

    def restore(self, state: Json) -> None: ...
