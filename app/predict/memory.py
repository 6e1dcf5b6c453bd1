"""How much memory a model takes, told from its files before they are loaded."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from llkd.engines.base import EngineName
from llkd.predictor_manifest import MODEL, TOKENIZER

# Measured on a 6-layer encoder and a static student (docs/serving.md, Memory), and rounded up.
# Weights, once they are in memory, and what a session plans with them:
MEMORY_PER_BYTE = 1.1
# while a graph is read, its file stands beside the weights that are made of it:
LOADING_PER_BYTE = 2.0
# OpenVINO keeps the graph, what it compiled of it, and scratch memory for each core:
OPENVINO_PER_BYTE = 1.9
OPENVINO_PER_BYTE_AND_CORE = 0.6
# With CUDA the weights lie on the GPU; what is left here was read to get them there:
CUDA_PER_BYTE = 1.25
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


def memory_of(files: Mapping[str, Path], engine: EngineName) -> Memory:
    """What the model of these files takes in this engine, rather too much than too little."""
    weights, tokenizer = (
        files[name].stat().st_size if name in files else 0 for name in (MODEL, TOKENIZER)
    )
    beside = tokenizer * TOKENIZER_MEMORY_PER_BYTE + EACH_BYTES
    loaded = round(weights * _per_byte(engine)) + beside
    return Memory(loading=max(loaded, round(weights * LOADING_PER_BYTE) + beside), loaded=loaded)


def _per_byte(engine: EngineName) -> float:
    """Bytes of memory for each byte of the graph's file."""
    match engine:
        case EngineName.ONNXRUNTIME:
            return MEMORY_PER_BYTE
        case EngineName.ONNXRUNTIME_CUDA:
            return CUDA_PER_BYTE
        case EngineName.OPENVINO_BF16 | EngineName.OPENVINO_INT8:
            cores = len(os.sched_getaffinity(0))
            return OPENVINO_PER_BYTE + OPENVINO_PER_BYTE_AND_CORE * cores
        case _:
            assert_never(engine)


def room_for_models(limit: int) -> int:
    """What is left of the operator's limit, in bytes, beside the memory of batches."""
    return limit - min(round(limit * BATCHES_SHARE), BATCHES_MOST_BYTES)
