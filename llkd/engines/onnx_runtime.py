"""ONNX Runtime in float32 on the processor: the reference, and what every machine has."""

from pathlib import Path
from typing import Self

from llkd.silent_runtime import onnxruntime
from llkd.types import FloatArray, IntArray


class OnnxRuntimeEngine:
    """One session; a thread that calls it computes on its own core."""

    name = "onnxruntime"

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session

    @classmethod
    def load(cls, model: Path, *, threads: int = 1) -> Self:
        """Load a graph; `threads` may work on one batch, the caller's own among them."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning threads burn the cores that other models and requests wait for.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Memory patterns are kept for each shape, and every batch has another one.
        options.enable_mem_pattern = False
        # Warnings about nodes it could not fold are nobody's to act on.
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"]
        )
        return cls(session)

    def shape_for(self, rows: int, tokens: int) -> tuple[int, int]:
        """Any shape is as good as another."""
        return rows, tokens

    def logits(self, ids: IntArray, mask: IntArray) -> FloatArray:
        (logits,) = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
        found: FloatArray = logits
        return found
