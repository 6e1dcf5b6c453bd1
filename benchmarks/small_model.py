"""An exported model of a few megabytes that takes milliseconds to load: a table of vectors."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from llkd.types import FloatArray

DIMENSIONS = 32
# Read by every ONNX Runtime of the last years.
OPSET, IR_VERSION = 17, 9


def write_small_onnx(path: Path, *, vocabulary: int, classes: int, seed: int) -> None:
    """Write a model whose logits are a random layer on the sum of random token vectors."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(vocabulary, DIMENSIONS)) / np.sqrt(DIMENSIONS)
    head = rng.normal(size=(DIMENSIONS, classes)) / np.sqrt(DIMENSIONS)
    onnx.save(_graph(vectors, head), str(path))


def _graph(vectors: FloatArray, head: FloatArray) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Gather", ["vectors", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide_mask"]),
        helper.make_node("Mul", ["rows", "wide_mask"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "middle"], ["summed"], keepdims=0),
        helper.make_node("MatMul", ["summed", "head"], ["logits"]),
    ]
    tokens = ["batch", "length"]
    graph = helper.make_graph(
        nodes,
        "small",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, tokens)
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", head.shape[1]])],
        [
            numpy_helper.from_array(vectors.astype(np.float32), "vectors"),
            numpy_helper.from_array(head.astype(np.float32), "head"),
            numpy_helper.from_array(np.array([2], dtype=np.int64), "last"),
            numpy_helper.from_array(np.array([1], dtype=np.int64), "middle"),
        ],
    )
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
