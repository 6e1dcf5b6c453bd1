"""What every selector can do."""

from dataclasses import dataclass
from typing import Protocol

from llkd.types import BoolArray, FloatArray, IntArray, Json


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

    def select(
        self, labels: IntArray, confidence: FloatArray, uncertainty: FloatArray
    ) -> Selection:
        """Decide on one batch, updating thresholds from the whole of it first.

        Args:
            labels: [B], pseudo-labels in 0..K-1.
            confidence: [B], in [0, 1]; NaN when unknown.
            uncertainty: [B], in [0, 1]; NaN when not asked for.
        """
        ...

    def thresholds(self) -> Json:
        """The thresholds now, for reports: empty for selectors without any."""
        ...

    def state(self) -> Json:
        """All that `restore` needs, as JSON whose floats survive exactly."""
        ...

    def restore(self, state: Json) -> None: ...
