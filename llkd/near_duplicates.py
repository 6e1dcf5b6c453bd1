"""Which texts say almost the same, and were given different labels?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from llkd.types import IntArray, Pool

# Of their character sequences, weighted by rarity: a word or two may differ.
LEAST_SIMILARITY = 0.8
_SEQUENCE = (3, 5)
# Sequences of more than this share of the texts tell nothing and cost the most.
_MOST_COMMON = 0.2
_MOST_SEQUENCES = 200_000
_ROWS_AT_ONCE = 64
# Of a text only so many characters are compared.
_COMPARED_CHARACTERS = 2_000
# Texts that one doubted text is compared with at the most, and characters of them in all:
# memory grows with these, to about 0.7 GiB.
_MOST_COMPARED = 50_000
_MOST_CHARACTERS = 20_000_000


@dataclass(frozen=True)
class Contradiction:
    """Two texts of a pool that are nearly the same and have different pseudo-labels.

    Attributes:
        first, second: their places; the first one is the more doubtful.
        similarity: cosine of their character sequences, in [0.8, 1].
    """

    first: int
    second: int
    similarity: float


def contradictions(pool: Pool, doubtful: IntArray, *, seed: int) -> list[Contradiction]:
    """Find the nearest text with another label for each doubtful one, the most alike first.

    Where texts contradict each other, one of the labels is wrong, and who learned from both
    doubts it: so only doubtful texts are looked up, not every pair.

    Args:
        doubtful: places of the texts to look up.
        seed: chooses what is compared with, in pools of more than 50,000 texts or twenty
            million characters.
    """
    compared = _compared(pool.texts, doubtful, seed=seed)
    if not len(doubtful) or len(compared) < 2:
        return []
    vectors = _vectors([pool.texts[place] for place in compared])
    if vectors is None:
        return []
    row_of = {place: row for row, place in enumerate(compared.tolist())}
    rows = np.array([row_of[place] for place in doubtful.tolist()])
    labels = pool.labels[compared]
    found: dict[frozenset[int], Contradiction] = {}
    for row, other, similarity in _nearest_of_other_label(vectors, rows, labels):
        first, second = int(compared[row]), int(compared[other])
        found.setdefault(frozenset((first, second)), Contradiction(first, second, similarity))
    return sorted(found.values(), key=lambda each: (-each.similarity, each.first))


def _compared(texts: Sequence[str], doubtful: IntArray, *, seed: int) -> IntArray:
    """Places, in order: those to look up, and as many others by lot as there is room for."""
    lengths = np.array([min(len(text), _COMPARED_CHARACTERS) for text in texts])
    order = np.random.default_rng(seed).permutation(len(texts))[:_MOST_COMPARED]
    fit = np.cumsum(lengths[order]) <= _MOST_CHARACTERS
    return np.union1d(order[fit], doubtful)


def _vectors(texts: Sequence[str]) -> Any | None:
    """[N, D], sparse, rows of length 1; None if no sequence of theirs is worth anything."""
    vectorizer = TfidfVectorizer(
        analyzer="char_wb",
        ngram_range=_SEQUENCE,
        max_df=_MOST_COMMON if len(texts) > 10 else 1.0,
        max_features=_MOST_SEQUENCES,
        sublinear_tf=True,
        dtype=np.float32,
    )
    try:
        return vectorizer.fit_transform(text[:_COMPARED_CHARACTERS] for text in texts)
    except ValueError:
        # Nothing but sequences that all texts share, or none at all.
        return None


def _nearest_of_other_label(
    vectors: Any, rows: IntArray, labels: IntArray
) -> Iterator[tuple[int, int, float]]:
    """Row, nearest row of another label, and similarity, where they are alike enough."""
    columns = vectors.T.tocsr()
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        some = rows[start : start + _ROWS_AT_ONCE]
        similarities = (vectors[some] @ columns).toarray()
        similarities[labels[some][:, None] == labels[None, :]] = 0.0
        nearest = similarities.argmax(axis=1)
        for row, other, similarity in zip(
            some, nearest, similarities[np.arange(len(some)), nearest], strict=True
        ):
            if similarity >= LEAST_SIMILARITY:
                yield int(row), int(other), min(1.0, float(similarity))
