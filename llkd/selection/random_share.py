"""A random share of every batch: what a selector must beat at the same size."""

import numpy as np

from llkd.selection.base import Batch, Selection
from llkd.types import Json


class RandomShare:
    """Keeps each sample with one probability, drawn from a stream of its own.

    Args:
        share: in (0, 1].
        seed: equal seeds keep equal samples.
    """

    def __init__(self, share: float, *, seed: int) -> None:
        self._share = share
        self._generator = np.random.Generator(np.random.PCG64(seed))

    @property
    def needs_uncertainty(self) -> bool:
        return False

    def select(self, batch: Batch) -> Selection:
        keep = self._generator.random(len(batch)) < self._share
        return Selection(keep, np.ones(len(batch)))

    def thresholds(self) -> Json:
        return {}

    def state(self) -> Json:
        # PCG64 counts in 128-bit integers, which JSON of Python holds exactly; a string
        # survives other writers too.
        inner = self._generator.bit_generator.state["state"]
        return {name: str(value) for name, value in inner.items()}

    def restore(self, state: Json) -> None:
        self._generator.bit_generator.state = {
            "bit_generator": "PCG64",
            "state": {name: int(value) for name, value in state.items()},
            "has_uint32": 0,
            "uinteger": 0,
        }
