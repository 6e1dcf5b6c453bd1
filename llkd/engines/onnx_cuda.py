"""ONNX Runtime on an NVIDIA GPU, where onnxruntime-gpu is installed in onnxruntime's place."""

from pathlib import Path
from typing import Self

from llkd.engines.base import EngineName, EngineUnavailable
from llkd.silent_runtime import onnxruntime
from llkd.types import FloatArray, IntArray

PROVIDER = "CUDAExecutionProvider"
# Every new shape makes cuBLAS and the allocator plan anew.
WIDTH_STEP = 8
ROWS = (1, 2, 4, 8)


class OnnxCudaEngine:
    """One session; the calls of several threads take turns on the GPU."""

    name = EngineName.ONNXRUNTIME_CUDA

    def __init__(self, session: onnxruntime.InferenceSession, *, longest: int) -> None:
        self._session = session
        self._longest = longest

    @classmethod
    def load(cls, model: Path, *, longest: int) -> Self:
        """Load a graph onto the first visible GPU.

        Raises:
            EngineUnavailable: the runtime has no CUDA, or fell back to the processor.
        """
        if not is_built_in():
            raise EngineUnavailable("this onnxruntime is built without CUDA")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # Else the arena takes twice what it needs each time it grows.
        provider = (PROVIDER, {"arena_extend_strategy": "kSameAsRequested"})
        session = onnxruntime.InferenceSession(
            str(model), options, providers=[provider, "CPUExecutionProvider"]
        )
        # Without a usable GPU or cuDNN it says so in its log alone and goes on.
        if PROVIDER not in session.get_providers():
            raise EngineUnavailable("CUDA or its libraries cannot be used on this machine")
        return cls(session, longest=longest)

    def shape_for(self, rows: int, tokens: int) -> tuple[int, int]:
        """Few shapes: rows in powers of two, widths in steps."""
        width = min(-(-tokens // WIDTH_STEP) * WIDTH_STEP, self._longest)
        return next((size for size in ROWS if size >= rows), rows), width

    def logits(self, ids: IntArray, mask: IntArray) -> FloatArray:
        (logits,) = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
        found: FloatArray = logits
        return found


def is_built_in() -> bool:
    """Whether this onnxruntime could use a GPU, if there is one."""
    return PROVIDER in onnxruntime.get_available_providers()
