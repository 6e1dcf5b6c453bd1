"""The most confident share of every class: a filter tuned by hand, and LLKD's closest rival."""

import numpy as np

from llkd.selection.base import Batch, Selection
from llkd.types import BoolArray, Json, Pool


class ClassConfidence:
    """Keeps the same samples in every pass: of each class the share with the highest
    confidence, rounded up. Each weighs 1.

    Ties are broken by lot, so a teacher with three different confidences, or none at all,
    gives every class the same share. Unknown confidences come after all known ones.

    Args:
        share: in (0, 1].
        seed: equal seeds break ties equally.
    """

    def __init__(self, pool: Pool, *, share: float, seed: int) -> None:
        self._kept = _most_confident(pool, share=share, seed=seed)

    @property
    def needs_uncertainty(self) -> bool:
        return False

    def select(self, batch: Batch) -> Selection:
        return Selection(self._kept[batch.index], np.ones(len(batch)))

    def thresholds(self) -> Json:
        return {}

    def state(self) -> Json:
        """Nothing: what is kept follows from the pool and the seed."""
        return {}

    def restore(self, state: Json) -> None:
        """There is nothing to restore."""


def _most_confident(pool: Pool, *, share: float, seed: int) -> BoolArray:
    lot = np.random.default_rng(seed).random(len(pool))
    order = np.lexsort((lot, -np.nan_to_num(pool.confidence, nan=-1.0)))
    kept = np.zeros(len(pool), dtype=np.bool_)
    for c in range(pool.class_count):
        members = order[pool.labels[order] == c]
        kept[members[: int(np.ceil(share * len(members)))]] = True
    return kept
