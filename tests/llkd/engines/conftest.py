"""A tiny exported model with the graphs of every engine, and texts to compare them on."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from llkd.engines.catalog import INT8_FILES, INT8_GRAPH
from llkd.predictor_manifest import MODEL
from llkd.silent_openvino import openvino
from llkd.types import IntArray
from tests.llkd.export.conftest import exported, trained
from tests.llkd.tiny_bert import make_pool

__all__ = ["exported", "trained"]

POOL = make_pool(160, seed=9)


@pytest.fixture(scope="session")
def files(exported, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Under names as a store gives them. The "quantized" graph is the same in float32."""
    folder = tmp_path_factory.mktemp("store")
    graph = openvino.Core().read_model(str(exported.files[MODEL]))
    openvino.save_model(graph, str(folder / INT8_GRAPH), compress_to_fp16=False)
    found = {name: Path(shutil.copy(path, folder)) for name, path in exported.files.items()}
    found |= {name: folder / name for name in INT8_FILES}
    return {
        name: path.rename(folder / f"{number:064x}")
        for number, (name, path) in enumerate(found.items())
    }


@pytest.fixture(scope="session")
def labels(exported, files: dict[str, Path]) -> IntArray:
    """What the reference says of the pool: it is right by definition."""
    from llkd.predictor import Predictor

    found: IntArray = Predictor.load(files).classify(POOL.texts).probabilities.argmax(axis=1)
    return found.astype(np.int64)
