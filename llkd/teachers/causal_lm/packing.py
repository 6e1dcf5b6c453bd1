"""How texts and their label trees lie side by side in one forward."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from llkd.teachers.causal_lm.label_trie import LabelTrie
from llkd.types import BoolArray, IntArray


@dataclass(frozen=True)
class Pack:
    """N texts of Q tokens in all, trees included, to be read after a prefix of P tokens.

    Attributes:
        tokens: [Q], each text's own and then its tree's, text after text.
        positions: [Q], where each stands in its own prompt, from 0.
        sees: [Q, P + Q], True where a token may look at another: at all of the prefix, at
            its own text up to itself and at its own ancestors in the tree; at nothing of
            its neighbours.
        asked: [N * (M + 1)], places in the pack after which a token of a label is foretold:
            each text's last token and then its tree's.
    """

    tokens: IntArray
    positions: IntArray
    sees: BoolArray
    asked: IntArray


def lay_out(texts: Sequence[Sequence[int]], trie: LabelTrie, *, prefix: int) -> Pack:
    """Put texts side by side.

    Args:
        texts: N rows of tokens, each of at least one: what stands between prefix and label.
        trie: the labels.
        prefix: P, tokens that were read before.
    """
    sizes = [len(text) + len(trie) for text in texts]
    starts = np.cumsum([0, *sizes])
    sees = np.zeros((starts[-1], prefix + starts[-1]), dtype=np.bool_)
    sees[:, :prefix] = True
    for text, start, end in zip(texts, starts, starts[1:], strict=False):
        sees[start:end, prefix + start : prefix + end] = _own(len(text), trie)
    rows = np.arange(len(trie) + 1)
    return Pack(
        tokens=np.concatenate([part for text in texts for part in (np.array(text), trie.tokens)]),
        positions=np.concatenate([_positions(len(text), trie) + prefix for text in texts]),
        sees=sees,
        asked=np.concatenate(
            [start + len(text) - 1 + rows for text, start in zip(texts, starts, strict=False)]
        ),
    )


def split_by_budget(sizes: Sequence[int], *, budget: int) -> Iterator[slice]:
    """Neighbours that fit a budget together; one that does not fit alone stands alone."""
    start = total = 0
    for place, size in enumerate(sizes):
        if place > start and total + size > budget:
            yield slice(start, place)
            start, total = place, 0
        total += size
    if start < len(sizes):
        yield slice(start, len(sizes))


def _own(length: int, trie: LabelTrie) -> BoolArray:
    """[length + M, length + M]: how one text's tokens and its tree's look at each other."""
    sees = np.tri(length + len(trie), dtype=np.bool_)
    sees[length:, length:] = trie.sees
    return sees


def _positions(length: int, trie: LabelTrie) -> IntArray:
    return np.concatenate([np.arange(length), length + trie.depths])
