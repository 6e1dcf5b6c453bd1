"""An embedder without a network: a text's vector points where its first word says."""

from collections.abc import Sequence

import numpy as np

from llkd.teachers.linear_head import LabelledVectors
from llkd.types import FloatArray

LAYERS, WIDTH = 3, 16


class WordEmbedder:
    """Equal texts have equal vectors; texts with one first word lie close together."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> FloatArray:
        self.asked += texts
        return np.array([_vectors(text) for text in texts]).reshape(-1, LAYERS, WIDTH)


def make_clusters(
    class_count: int, examples: int, *, noise: float = 0.5, told_by: int | None = None
) -> LabelledVectors:
    """One description and some examples a class, around a centre of each class's own.

    Args:
        class_count: K.
        examples: of each class.
        noise: spread around the centres.
        told_by: the one layer that tells the classes apart; None: every layer does.
    """
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(class_count, LAYERS, WIDTH))
    if told_by is not None:
        centres[:, [layer for layer in range(LAYERS) if layer != told_by]] = 0
    labels = np.repeat(np.arange(class_count), examples + 1)
    vectors = centres[labels] + noise * generator.normal(size=(len(labels), LAYERS, WIDTH))
    return LabelledVectors(
        vectors / np.linalg.norm(vectors, axis=2, keepdims=True),
        labels,
        np.arange(len(labels)) % (examples + 1) == 0,
        class_count,
    )


def _vectors(text: str) -> FloatArray:
    def drawn(words: str) -> FloatArray:
        seed = int.from_bytes(words.encode(), "little") % 2**63
        return np.random.default_rng(seed).normal(size=(LAYERS, WIDTH))

    vectors = drawn((text.split() or [""])[0].casefold().strip(":")) + 0.3 * drawn(text)
    unit: FloatArray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
