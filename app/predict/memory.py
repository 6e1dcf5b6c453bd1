"""How much memory a model takes, told from its files before they are loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llkd.predictor_manifest import MODEL, TOKENIZER

# Measured on a 6-layer encoder and a static student (docs/serving.md, Memory), and rounded up.
# Weights, once they are in memory, and what a session plans with them:
MEMORY_PER_BYTE = 1.1
# while a graph is read, its file stands beside the weights that are made of it:
LOADING_PER_BYTE = 2.0
# a vocabulary of 30,000 words takes 9 MiB, twenty times its file:
TOKENIZER_MEMORY_PER_BYTE = 20
# an empty session and its bookkeeping:
EACH_BYTES = 2 * 1024 * 1024

# Batches need memory of their own, which the models share: of 8 texts of 250 tokens, 120 MiB
# with a 6-layer encoder. A small limit is for small models.
BATCHES_SHARE = 1 / 8
BATCHES_MOST_BYTES = 256 * 1024 * 1024


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


def room_for_models(limit: int) -> int:
    """What is left of the operator's limit, in bytes, beside the memory of batches."""
    return limit - min(round(limit * BATCHES_SHARE), BATCHES_MOST_BYTES)
