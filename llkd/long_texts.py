"""Which tokens of a text are read when it is longer than its model's window."""

from itertools import pairwise
from typing import Literal

import numpy as np

# head: the beginning, as in training. head_tail: the first and the last half of one window.
# sliding_mean: windows over the whole text, whose probabilities are averaged.
LongTexts = Literal["head", "head_tail", "sliding_mean"]

# A text costs at most this many windows, however long it is.
MOST_WINDOWS = 64


def window_starts(count: int, *, room: int) -> list[int]:
    """Where the windows of `sliding_mean` begin, in tokens of the text.

    Each begins half a window after the one before, and the last one ends with the text. Where
    that makes too many, MOST_WINDOWS of them are spread evenly from the first token to the last.

    Args:
        count: tokens of the text, without special ones.
        room: tokens of the text that fit into a window, at least 1.
    """
    if count <= room:
        return [0]
    last = count - room
    starts = [*range(0, last, max(1, room // 2)), last]
    if len(starts) <= MOST_WINDOWS:
        return starts
    spread = np.linspace(0, last, MOST_WINDOWS).round().astype(np.int64)
    # Rounding may not make two windows one: there are more places than windows.
    return [int(start) for start in spread]


def leaves_gaps(starts: list[int], *, room: int) -> bool:
    """Whether windows of `room` tokens leave some token between two of them unread."""
    return any(later - earlier > room for earlier, later in pairwise(starts))


def head_and_tail(body: list[int], *, room: int) -> list[int]:
    """The first and the last tokens that fill one window; the larger half is the first."""
    if len(body) <= room:
        return body
    tail = room // 2
    return body[: room - tail] + body[len(body) - tail :]
