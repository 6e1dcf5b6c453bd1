"""The engines of a trained model: quantized, measured on its validation texts, and remembered."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.artifacts import ArtifactStore
from llkd.engine_gate import FEWEST_TEXTS
from llkd.engines.base import EngineName
from llkd.measure_engines import Measured, draw_texts, measure_engines
from llkd.quantize import CALIBRATION_TEXTS, quantize, remove_quantized
from llkd.types import IntArray
from worker.protocol import Json


@dataclass(frozen=True)
class ValidationTexts:
    """Texts that a student was not trained on, in an order drawn by lot.

    Attributes:
        labels: [M], in 0..K-1: gold where they measure, else the teacher's.
    """

    texts: Sequence[str]
    labels: IntArray

    @classmethod
    def draw(cls, texts: Sequence[str], labels: IntArray) -> "ValidationTexts":
        return cls(*draw_texts(texts, labels))

    def store(self, artifacts: ArtifactStore) -> str:
        """Keep them for measuring on other machines; returns the digest."""
        content = {"texts": list(self.texts), "labels": self.labels.tolist()}
        return artifacts.put_bytes(json.dumps(content, ensure_ascii=False).encode())

    @classmethod
    def load(cls, artifacts: ArtifactStore, digest: str) -> "ValidationTexts":
        """What `store` kept.

        Raises:
            ArtifactDamaged: it is gone or changed.
        """
        artifacts.verify(digest)
        content = json.loads(artifacts.path(digest).read_bytes())
        return cls(content["texts"], np.array(content["labels"], dtype=np.int64))


def with_engines(
    folder: Path,
    validation: ValidationTexts,
    pool: Sequence[str],
    *,
    artifacts: ArtifactStore,
) -> Json:
    """Measure the engines of a freshly exported model; returns `export["engines"]`.

    A quantized graph that passes is left in the folder, beside the other files.

    Args:
        pool: texts of the training pool, from which quantization learns ranges.
    """
    if len(validation.texts) < FEWEST_TEXTS:
        # What could not be compared would not be served.
        unquantized: str | None = "there are too few validation texts to compare it on"
    else:
        drawn = np.random.default_rng(0).permutation(len(pool))[:CALIBRATION_TEXTS]
        unquantized = quantize(folder, [pool[place] for place in drawn])
    measured = measure(_files(folder), validation)
    states = {each.engine: each.state for each in measured.engines}
    if states.get(EngineName.OPENVINO_INT8) != "passed":
        remove_quantized(folder)
    enough = len(validation.texts) >= FEWEST_TEXTS
    return {
        "validation": validation.store(artifacts) if enough else None,
        "not_quantized": unquantized,
        "machines": [measured.to_json()],
    }


def measure(files: Mapping[str, Path], validation: ValidationTexts) -> Measured:
    """The engines of this machine on these texts."""
    return measure_engines(files, validation.texts, validation.labels)


def chosen_on(engines: Mapping[str, Any]) -> str:
    """The engine that won on the machine measured last."""
    chosen: str = engines["machines"][-1]["chosen"]
    return chosen


def _files(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in folder.iterdir()}
