"""Which engines this machine has, and how each is loaded."""

from collections.abc import Container, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import assert_never

from llkd.engines.base import Engine, EngineName, EngineUnavailable
from llkd.engines.machine import Machine, this_machine
from llkd.engines.onnx_cuda import OnnxCudaEngine, is_built_in
from llkd.engines.onnx_runtime import OnnxRuntimeEngine
from llkd.predictor_manifest import MODEL

# Beside the files that every model has, where post-training quantization was possible.
INT8_GRAPH = "model_int8.xml"
INT8_WEIGHTS = "model_int8.bin"
INT8_FILES = (INT8_GRAPH, INT8_WEIGHTS)


def why_absent(
    name: EngineName, files: Container[str], *, machine: Machine | None = None
) -> str | None:
    """Why a model of these files cannot be run by this engine here; None where it can.

    Args:
        files: names of the model's files.
        machine: None for this one.
    """
    machine = machine or this_machine()
    match name:
        case EngineName.ONNXRUNTIME:
            return None
        case EngineName.ONNXRUNTIME_CUDA:
            return None if is_built_in() else "this onnxruntime is built without CUDA"
        case EngineName.OPENVINO_BF16:
            if not machine.has_bf16:
                return "the processor has no bfloat16 (amx_bf16 or avx512_bf16)"
            return _why_no_openvino()
        case EngineName.OPENVINO_INT8:
            if any(file not in files for file in INT8_FILES):
                return "the model was exported without a quantized graph"
            return _why_no_openvino()
        case _:
            assert_never(name)


def load_engine(name: EngineName, files: Mapping[str, Path], *, longest: int) -> Engine:
    """Load a model's graph into an engine.

    Args:
        files: the model's files by name, wherever they lie.
        longest: tokens that the model reads of a text.

    Raises:
        EngineUnavailable: see `why_absent`.
    """
    reason = why_absent(name, files)
    if reason is not None:
        raise EngineUnavailable(reason)
    match name:
        case EngineName.ONNXRUNTIME:
            return OnnxRuntimeEngine.load(files[MODEL])
        case EngineName.ONNXRUNTIME_CUDA:
            return OnnxCudaEngine.load(files[MODEL], longest=longest)
        case EngineName.OPENVINO_BF16:
            # Here and not above: the package may be absent, and its import takes a while.
            from llkd.engines.openvino import OpenVinoEngine

            return OpenVinoEngine.load(files[MODEL], name=name, longest=longest)
        case EngineName.OPENVINO_INT8:
            from llkd.engines.openvino import OpenVinoEngine

            graph, weights = (files[file] for file in INT8_FILES)
            return OpenVinoEngine.load(graph, weights=weights, name=name, longest=longest)
        case _:
            assert_never(name)


def _why_no_openvino() -> str | None:
    return None if find_spec("openvino") else "the package openvino is not installed"
