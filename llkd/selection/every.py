"""Every pseudo-label counts alike: the usual way, kept to compare with."""

import numpy as np

from llkd.selection.base import Batch, Selection
from llkd.types import Json


class Every:
    """Keeps each sample, with weight 1."""

    @property
    def needs_uncertainty(self) -> bool:
        return False

    def select(self, batch: Batch) -> Selection:
        return Selection(np.ones(len(batch), dtype=np.bool_), np.ones(len(batch)))

    def thresholds(self) -> Json:
        return {}

    def state(self) -> Json:
        return {}

    def restore(self, state: Json) -> None:
        """There is nothing to restore."""
