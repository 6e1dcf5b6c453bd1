"""What a trained student takes to serve: time a text, and bytes."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from llkd.export import write_served
from llkd.predictor import Predictor
from llkd.students.saved import Saved

TEXTS = 128
# What else the machine does can only add to a text's time: the least of these counts.
TURNS = 3


@dataclass(frozen=True)
class ServingCost:
    """Of one text a call, on one thread of this machine, tokenizing included.

    Attributes:
        p50_ms: half of the texts take no longer.
        p95_ms: 95 % of them take no longer.
        size_bytes: of the files that a server loads.
    """

    p50_ms: float
    p95_ms: float
    size_bytes: int


def measure_serving(trained: Path, texts: Sequence[str], *, seed: int) -> ServingCost:
    """Write the served form, load it as a server would, and time it.

    Args:
        trained: what `Student.save_model` wrote.
        texts: real ones; 128 of them are drawn, and each is timed three times.
        seed: of the draw.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        saved = Saved.load(trained)
        labels = tuple(map(str, range(saved.network.class_count)))
        files = write_served(saved, trained, folder, labels=labels, base_model="")
        predictor = Predictor.load(files)
    drawn = np.random.default_rng(seed).permutation(len(texts))[:TEXTS]
    chosen = [texts[place] for place in drawn]
    # Memory is set aside at the first calls.
    predictor.classify(chosen[:8])
    seconds = [min(_seconds(predictor, text) for _ in range(TURNS)) for text in chosen]
    p50, p95 = np.percentile(seconds, [50, 95]) * 1000
    return ServingCost(round(float(p50), 3), round(float(p95), 3), predictor.size_bytes)


def _seconds(predictor: Predictor, text: str) -> float:
    started = time.perf_counter()
    predictor.classify([text])
    return time.perf_counter() - started
