"""What every engine does: token ids in, logits out."""

from typing import Protocol

from llkd.types import FloatArray, IntArray


class Engine(Protocol):
    """A graph in memory. Safe to call from several threads at once."""

    @property
    def name(self) -> str:
        """The word for it in a model's figures, such as `onnxruntime`."""
        ...

    def shape_for(self, rows: int, tokens: int) -> tuple[int, int]:
        """The batch shape, at least as large, in which this engine answers so many texts best."""
        ...

    def logits(self, ids: IntArray, mask: IntArray) -> FloatArray:
        """[B, K] logits of [B, T] token ids; the mask is 1 where a token is real."""
        ...
