"""How much memory a model takes, told from its files before they are loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llkd.predictor_manifest import MODEL, TOKENIZER

# Measured, see docs/serving.md, Memory: weights once, and what the session plans with them.
MEMORY_PER_BYTE = 1.25
# While a graph is read, the file and the weights made of it are in memory at the same time.
LOADING_PER_BYTE = 2.25
# A vocabulary of 30,000 words takes 9 MiB, twenty times its file.
TOKENIZER_MEMORY_PER_BYTE = 20
# An empty session, its buffers, and what a batch needs.
EACH_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True)
class Memory:
    """Bytes a model takes.

    Attributes:
        loading: while it is loaded.
        loaded: from then on.
    """

    loading: int
    loaded: int


def memory_of(files: Mapping[str, Path]) -> Memory:
    """What the model of these files takes, rather too much than too little."""
    weights, tokenizer = (
        files[name].stat().st_size if name in files else 0 for name in (MODEL, TOKENIZER)
    )
    beside = tokenizer * TOKENIZER_MEMORY_PER_BYTE + EACH_BYTES
    return Memory(
        loading=round(weights * LOADING_PER_BYTE) + beside,
        loaded=round(weights * MEMORY_PER_BYTE) + beside,
    )
