"""Which texts are the same, among millions, in a few dozen bytes each.

Every kept row leaves 16 bytes of a hash; at the end these are sorted once, stably, so
that equal texts stand together in the order of their appearance. A set of the hashes
would take ten times the memory, and two different texts share one with a chance of
about 1 in 10^26 for 5 million rows.
"""

from array import array
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

HASH_BYTES = 16
NO_LABEL = -1


@dataclass(frozen=True)
class Distinct:
    """What N kept rows are as different texts; arrays are in the order of the rows.

    Attributes:
        copies: [N], how often the text appears, at its first appearance; 0 at later ones.
        gold: [N], the label code of the text's first labelled copy, at its first
            appearance; NO_LABEL without one.
        conflicts: how many texts have copies with different labels.
    """

    copies: NDArray[np.int32]
    gold: NDArray[np.int16]
    conflicts: int


def hash_of(content: bytes) -> bytes:
    """HASH_BYTES bytes of a text in UTF-8."""
    return blake2b(content, digest_size=HASH_BYTES).digest()


class Deduplicator:
    """Collects a hash and a label code for each kept row."""

    def __init__(self) -> None:
        self._hashes = bytearray()
        self._gold = array("h")

    def add(self, content: bytes, *, gold: int) -> None:
        """Note the next row: its text in UTF-8, and its label's code or NO_LABEL."""
        self._hashes += hash_of(content)
        self._gold.append(gold)

    def finish(self) -> Distinct:
        """Group equal hashes; nothing can be added after."""
        gold = np.array(self._gold, dtype=np.int16)
        order, begins = self._grouped()
        starts = np.flatnonzero(begins)
        first = order[starts]
        copies = np.zeros(len(order), dtype=np.int32)
        copies[first] = np.diff(starts, append=len(order))
        chosen, conflicts = _choose_gold(gold[order], starts=starts)
        gold_of = np.full(len(order), NO_LABEL, dtype=np.int16)
        gold_of[first] = chosen
        return Distinct(copies, gold_of, conflicts)

    def _grouped(self) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """An order in which equal hashes stand together, and where each group of it begins.

        The large arrays go one by one as they have served: at 5 million rows each is 40 MB.
        """
        halves = np.frombuffer(self._hashes, dtype=np.uint64).reshape(-1, 2)
        high, low = halves[:, 0].copy(), halves[:, 1].copy()
        del halves
        self._hashes.clear()
        # Stable: within a group of equal hashes, the first appearance comes first.
        order = np.lexsort((low, high))
        begins = np.ones(len(order), dtype=bool)
        begins[1:] = _differs_from_previous(high[order])
        del high
        begins[1:] |= _differs_from_previous(low[order])
        return order, begins


def _differs_from_previous(values: NDArray[np.uint64]) -> NDArray[np.bool_]:
    different: NDArray[np.bool_] = values[1:] != values[:-1]
    return different


def _choose_gold(
    gold: NDArray[np.int16], *, starts: NDArray[np.intp]
) -> tuple[NDArray[np.int16], int]:
    """Each group's first label, and how many groups hold different ones.

    Args:
        gold: [N], label codes, groups standing together.
        starts: [G], where each group begins.
    """
    chosen = np.full(len(starts), NO_LABEL, dtype=np.int16)
    labelled = np.flatnonzero(gold != NO_LABEL)
    if len(labelled) == 0:
        return chosen, 0
    codes = gold[labelled]
    group = np.searchsorted(starts, labelled, side="right") - 1
    heads = np.flatnonzero(np.diff(group, prepend=-1))
    chosen[group[heads]] = codes[heads]
    differs = np.minimum.reduceat(codes, heads) != np.maximum.reduceat(codes, heads)
    return chosen, int(differs.sum())
