"""Labels as a tree of tokens, so that what several begin with is read once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from llkd.types import BoolArray, IntArray


@dataclass(frozen=True)
class LabelTrie:
    """M tokens to read after a prompt, and what the model's answers to them are taken for.

    A label's last token is only asked for, never read: nothing follows it.

    Attributes:
        tokens: [M], each after its parent.
        depths: [M], from 0: how many tokens of the tree stand before it.
        sees: [M, M], True where the row's token stands at or below the column's.
        label: [S], to which label each of S steps belongs.
        row: [S], where the step's token is foretold: 0 after the prompt, m + 1 after token m.
        token: [S], the token it asks for.
        label_count: K.
    """

    tokens: IntArray
    depths: IntArray
    sees: BoolArray
    label: IntArray
    row: IntArray
    token: IntArray
    label_count: int

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def branches(self) -> list[IntArray]:
        """The way to each token that none follows: rows of `tokens`, from the top."""
        # Every token but those at the ends is seen by another one than itself.
        ends = np.flatnonzero(self.sees.sum(axis=0) == 1)
        return [np.flatnonzero(self.sees[end]) for end in ends]


def make_trie(labels: Sequence[Sequence[int]]) -> LabelTrie:
    """Build the tree of K rows of tokens, none of which begins with another.

    Raises:
        ValueError: a row is empty.
    """
    rows: dict[tuple[int, ...], int] = {(): 0}
    steps: list[tuple[int, int, int]] = []
    for label, tokens in enumerate(labels):
        if not tokens:
            raise ValueError(f"label {label} has no token")
        for place, token in enumerate(tokens):
            path = tuple(tokens[:place])
            # Asked for once for every label, read once for all.
            steps.append((label, rows.setdefault(path, len(rows)), token))
    paths = list(rows)[1:]
    label_of, row, token_of = np.array(steps, dtype=np.int64).reshape(-1, 3).T
    return LabelTrie(
        tokens=np.array([path[-1] for path in paths], dtype=np.int64),
        depths=np.array([len(path) - 1 for path in paths], dtype=np.int64),
        sees=_sees(paths, rows),
        label=label_of,
        row=row,
        token=token_of,
        label_count=len(labels),
    )


def _sees(paths: Sequence[tuple[int, ...]], rows: dict[tuple[int, ...], int]) -> BoolArray:
    """Each token sees itself and what its parent sees; a parent has a smaller row."""
    sees = np.eye(len(paths), dtype=np.bool_)
    for place, path in enumerate(paths):
        parent = rows[path[:-1]] - 1
        if parent >= 0:
            sees[place] |= sees[parent]
    return sees
