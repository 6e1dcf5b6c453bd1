"""A model of a few hundred bytes: each known word votes for its label."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from core.artifacts import ArtifactStore
from core.db.repositories.models import ModelRepository, NewModel
from core.db.session import Database
from core.ids import ModelId, TenantId
from core.lifecycle import JobState
from llkd.predictor_manifest import MANIFEST, MODEL, TOKENIZER, Manifest, write_manifest
from tests.factories import TENANT, make_job

VOTES = {"invoice": (4.0, 0.0, 0.0), "crash": (0.0, 4.0, 0.0), "parcel": (0.0, 0.0, 4.0)}
LABELS = ("billing", "tech", "delivery")
MAX_LENGTH = 8


def write_tiny_model(
    folder: Path,
    *,
    labels: tuple[str, ...] = LABELS,
    votes: Mapping[str, tuple[float, ...]] = VOTES,
    ballast: int = 0,
    unused_rows: int = 0,
) -> dict[str, Path]:
    """Write the three files.

    Args:
        ballast: bytes that make the file larger and change nothing else.
        unused_rows: of weights, which take memory and answer to no word.
    """
    folder.mkdir(parents=True, exist_ok=True)
    words = {"[PAD]": 0, "[UNK]": 1} | {word: place + 2 for place, word in enumerate(votes)}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / TOKENIZER))
    manifest = Manifest(labels=labels, max_length=MAX_LENGTH, pad_id=0, base_model="tiny")
    write_manifest(manifest, folder / MANIFEST)
    table = np.zeros((len(words) + unused_rows, len(labels)), dtype=np.float32)
    for word, row in votes.items():
        table[words[word]] = row
    onnx.save(_graph(table, ballast), str(folder / MODEL))
    return {name: folder / name for name in (MODEL, TOKENIZER, MANIFEST)}


def register_model(
    database: Database,
    artifacts: ArtifactStore,
    folder: Path,
    *,
    name: str = "tickets",
    tenant: TenantId = TENANT,
) -> ModelId:
    """Store the folder and give it the next version of this name, as a job does."""
    with database.write() as session:
        job = make_job(session, tenant_id=tenant, state=JobState.SUCCEEDED)
        new = NewModel(
            name=name,
            job_id=job.id,
            artifact=artifacts.put_tree(folder),
            labels=list(LABELS),
            base_model="tiny",
            metrics={},
            export={},
            size_bytes=1,
        )
        return ModelRepository(session).register(tenant, new).id


def _graph(
    table: "np.ndarray[tuple[int, int], np.dtype[np.float32]]", ballast: int
) -> onnx.ModelProto:
    """Logits = sum over the real tokens of their row in the table."""
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide_mask"]),
        helper.make_node("Mul", ["rows", "wide_mask"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "middle"], ["logits"], keepdims=0),
    ]
    tokens = ["batch", "length"]
    graph = helper.make_graph(
        nodes,
        "votes",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, tokens)
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", table.shape[1]])],
        [
            numpy_helper.from_array(table, "table"),
            numpy_helper.from_array(np.array([2], dtype=np.int64), "last"),
            numpy_helper.from_array(np.array([1], dtype=np.int64), "middle"),
        ],
    )
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=9)
    model.doc_string = "." * ballast
    return model
