"""Batches whose shape follows from each text alone, so that its bits do, too.

Every forward has the same number of rows, and a length that follows from the text alone:
matrix kernels add in an order that depends on the shape, so only then are a text's last
bits its own, and a job that was interrupted and goes on with other batches ends with the
same answers.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from llkd.types import IntArray

# By kind of device. Eight rows is also what is fastest on a CPU.
ROWS = {"cpu": 8, "cuda": 64}
_LENGTH_STEP = 8


def like_lengths(rows: Sequence[Sequence[int]], *, size: int) -> Iterator[tuple[list[int], int]]:
    """Split N rows of token ids into batches that share a padded length.

    Yields:
        At most `size` places in 0..N-1, each place once, and the length they are padded to.
    """
    by_length: dict[int, list[int]] = {}
    for place, ids in enumerate(rows):
        length = -(-len(ids) // _LENGTH_STEP) * _LENGTH_STEP
        by_length.setdefault(length, []).append(place)
    for length, places in sorted(by_length.items()):
        for start in range(0, len(places), size):
            yield places[start : start + size], length


def fill(rows: Sequence[Sequence[int]], *, size: int, length: int, filler: int) -> IntArray:
    """[size, length]: the rows from the top, each from the left; `filler` everywhere else."""
    filled = np.full((size, length), filler, dtype=np.int64)
    for place, row in enumerate(rows):
        filled[place, : len(row)] = row
    return filled


def attention(rows: Sequence[Sequence[int]], *, size: int, length: int) -> IntArray:
    """[size, length]: 1 where the rows have a token, and at the first place of blank rows."""
    mask = fill([[1] * len(row) for row in rows], size=size, length=length, filler=0)
    # A blank row attends to one token: over none, attention is not a number.
    mask[:, 0] = 1
    return mask
