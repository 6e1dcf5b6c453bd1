"""What every engine does: token ids in, logits out."""

from enum import StrEnum
from typing import Protocol

from llkd.types import FloatArray, IntArray


class EngineName(StrEnum):
    """All that may run a model, the most exact first; not every machine has every one."""

    ONNXRUNTIME = "onnxruntime"
    ONNXRUNTIME_CUDA = "onnxruntime_cuda"
    OPENVINO_BF16 = "openvino_bf16"
    OPENVINO_INT8 = "openvino_int8"


# What every machine has, and what the others are held against.
REFERENCE = EngineName.ONNXRUNTIME


class EngineUnavailable(Exception):
    """This machine cannot run the engine, or the model has no files for it."""


class Engine(Protocol):
    """A graph in memory. Safe to call from several threads at once."""

    @property
    def name(self) -> EngineName:
        """The word for it in a model's figures."""
        ...

    def shape_for(self, rows: int, tokens: int) -> tuple[int, int]:
        """The batch shape, at least as large, in which this engine answers so many texts best."""
        ...

    def logits(self, ids: IntArray, mask: IntArray) -> FloatArray:
        """[B, K] logits of [B, T] token ids; the mask is 1 where a token is real."""
        ...
