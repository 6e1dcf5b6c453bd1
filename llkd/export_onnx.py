"""How a network becomes ONNX bytes that are the same for the same weights, on any machine."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import torch

from llkd.students.network import Network

# An ONNX file is one protobuf message, which ends at 2 GiB; some room for the graph.
MOST_WEIGHT_BYTES = 2**31 - 2**26

# Traced at sizes no bucket or default has, so that a dimension that was frozen by
# accident shows in the parity gate.
_TRACED_ROWS = 3
_TRACED_LENGTH = 11


def write_onnx(network: Network, path: Path) -> None:
    """Write the network in float32 with free batch size and length: ids and mask to logits.

    The older exporter (dynamo=False) is not used: it froze part of the attention mask
    and was 0.02 off on lengths it had not traced, without a word.

    Raises:
        ValueError: the weights do not fit into one ONNX file.
    """
    weight_bytes = sum(weight.nbytes for weight in network.state_dict().values())
    if weight_bytes > MOST_WEIGHT_BYTES:
        raise ValueError(f"{weight_bytes} bytes of weights do not fit into one ONNX file")
    network = network.cpu().float().eval()
    ids = torch.ones((_TRACED_ROWS, _TRACED_LENGTH), dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[0, _TRACED_LENGTH // 2 :] = 0
    with torch.inference_mode(), _known_warnings_silenced():
        program = torch.onnx.export(
            network,
            (ids, mask),
            dynamo=True,
            dynamic_shapes=({0: "batch", 1: "length"},) * 2,
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            verbose=False,
        )
    assert program is not None  # The older exporter alone returns nothing.
    model = program.model_proto
    _strip(model)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _strip(model: onnx.ModelProto) -> None:
    """Drop what describes the export and not the function: stack traces name our folders."""
    _clear([model, *model.functions])
    for function in model.functions:
        _strip_nodes(function.node)
    _strip_graph(model.graph)


def _strip_graph(graph: onnx.GraphProto) -> None:
    # Shapes of inner values come from the trace; a later quantization would believe them.
    del graph.value_info[:]
    _clear([graph, *graph.initializer, *graph.input, *graph.output])
    _strip_nodes(graph.node)


def _strip_nodes(nodes: Iterable[onnx.NodeProto]) -> None:
    for node in nodes:
        _clear([node])
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _strip_graph(attribute.g)
            for graph in attribute.graphs:
                _strip_graph(graph)


def _clear(described: Iterable[Any]) -> None:
    """Empty the descriptions of ONNX messages, all of which have the same two fields."""
    for message in described:
        message.ClearField("doc_string")
        message.ClearField("metadata_props")


@contextmanager
def _known_warnings_silenced() -> Iterator[None]:
    """Silence what the exporter says of its own inside and of the names of shared axes."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message=r".*isinstance\(treespec, LeafSpec\)", category=FutureWarning
        )
        warnings.filterwarnings("ignore", message=r"# The axis name: \w+ will not be used")
        yield
