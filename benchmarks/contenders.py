"""Servers that answer the same texts with the same model: ours and others, each as one spec."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.service import HOST, ROOT

OURS = "ours"
# The same by the engine that most peers use, where the gate has chosen another.
OURS_REFERENCE = "ours_onnxruntime"
INT8 = "_int8"
PEERS_FOLDER = Path(__file__).parent / "serving_peers"

Scores = dict[str, float]


@dataclass(frozen=True)
class Contender:
    """How a server is started, asked and read.

    Attributes:
        name: as in the tables.
        command: what starts it, with `{port}` where the port stands.
        ready_path: answers 200 once the model can be asked.
        predict_path: takes the POST.
        body: texts to what is sent as JSON.
        scores: the parsed answer to the scores of every label, a dictionary a text.
        environment: beside what every contender gets.
    """

    name: str
    command: tuple[str, ...]
    ready_path: str
    predict_path: str
    body: Callable[[Sequence[str]], Any]
    scores: Callable[[Any], list[Scores]]
    environment: Mapping[str, str] = field(default_factory=dict)


def ours(
    data_dir: Path,
    model: str,
    *,
    name: str = OURS,
    settings: Mapping[str, str] | None = None,
) -> Contender:
    """The API as `llkd-api` starts it, over a data folder that has the model."""
    return Contender(
        name,
        (sys.executable, "-m", "app.serve"),
        ready_path="/readyz",
        predict_path="/predict",
        body=lambda texts: {"model": model, "input": list(texts)},
        scores=lambda answer: [_scores(each["scores"]) for each in answer["data"]],
        environment={
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.getenv("PYTHONPATH")])]),
            "LLKD_DATA_DIR": str(data_dir.resolve()),
            "LLKD_HOST": HOST,
            "LLKD_PORT": "{port}",
            **(settings or {}),
        },
    )


def peer(name: str, python: str, folder: Path) -> Contender:
    """Another server, run by an interpreter that has it installed.

    Args:
        name: a key of `PEERS`; with `_int8` behind it, the same on quantized weights.
        folder: the model as peers load it, in the form that the name asks for.

    Raises:
        KeyError: there is no such peer.
    """
    return PEERS[name.removesuffix(INT8)](name, python, folder)


def _script(file: str) -> Callable[[str, str, Path], Contender]:
    """A peer that a script of ours starts: it takes and gives what all such scripts do."""

    def make(name: str, python: str, folder: Path) -> Contender:
        return _listing(name, (python, str(PEERS_FOLDER / file)), folder)

    return make


def _bentoml(name: str, python: str, folder: Path) -> Contender:
    serve = (python, "-m", "bentoml", "serve", "bentoml_onnx:Classifier")
    where = ("--working-dir", str(PEERS_FOLDER), "--host", HOST, "--port", "{port}")
    return _listing(name, (*serve, *where), folder, ready_path="/readyz")


def _listing(
    name: str, command: tuple[str, ...], folder: Path, *, ready_path: str = "/health"
) -> Contender:
    return Contender(
        name,
        command,
        ready_path=ready_path,
        predict_path="/predict",
        body=lambda texts: {"texts": list(texts)},
        scores=lambda answer: [_scores(each) for each in _rows(answer)],
        environment={"PEER_MODEL": str(folder), "PEER_PORT": "{port}"},
    )


def _infinity(engine: str) -> Callable[[str, str, Path], Contender]:
    def make(name: str, python: str, folder: Path) -> Contender:
        command = (
            str(Path(python).parent / "infinity_emb"),
            "v2",
            *("--model-id", str(folder), "--served-model-name", "served"),
            *("--engine", engine, "--device", "cpu", "--host", HOST, "--port", "{port}"),
            # Its own default; BetterTransformer and compilation are on by default and stay on.
            *("--batch-size", "32", "--log-level", "warning"),
            # Its warm-up reads more tokens than the model has places for: on ONNX it does not
            # cut. All servers are warmed by the texts themselves.
            "--no-model-warmup",
        )
        return Contender(
            name,
            command,
            ready_path="/health",
            predict_path="/classify",
            body=lambda texts: {"model": "served", "input": list(texts)},
            scores=lambda answer: [_scores(each) for each in _rows(answer)],
            environment={"DO_NOT_TRACK": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0"},
        )

    return make


PEERS: Mapping[str, Callable[[str, str, Path], Contender]] = {
    "infinity_onnx": _infinity("optimum"),
    "infinity_torch": _infinity("torch"),
    "litserve_plain": _script("litserve_plain.py"),
    "litserve_tuned": _script("litserve_tuned.py"),
    "bentoml": _bentoml,
    "naive_pipeline": _script("naive_pipeline.py"),
}


def _rows(answer: Any) -> list[list[dict[str, Any]]]:
    """A list a text, whether it is the answer or its `data`."""
    found: list[list[dict[str, Any]]] = answer["data"] if isinstance(answer, dict) else answer
    return found


def _scores(entries: Sequence[Mapping[str, Any]]) -> Scores:
    return {entry["label"]: float(entry["score"]) for entry in entries}
