"""What does one engine answer on this machine, and how fast, in a process of its own?

`python -m llkd.engine_probe` reads {"engine", "files", "texts", "seconds"} on stdin and writes a
`Probe` to stdout, or {"unavailable": reason}: a library that crashes or never ends takes nobody
with it, and memory is counted from nothing.
"""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from llkd.engines.base import EngineName, EngineUnavailable
from llkd.predictor import MOST_ROWS, Predictor, batches_by_length
from llkd.predictor_tokens import Tokens
from llkd.types import FloatArray

# The first round also compiles shapes and sets memory aside; the better one counts.
ROUNDS = 2


@dataclass(frozen=True)
class Probe:
    """One engine's answers to the first N of the texts, and what they took.

    Attributes:
        alone: [N, K], probabilities of each text in a batch of its own.
        mixed: [N, K], the same in random batches of 1 to 8 texts of any lengths.
        texts_per_cpu_second: in batches as a server makes them, per second of all cores' time.
        texts_per_second: the same by the clock, of one caller.
        p50_ms: half of the texts take no longer alone, by the clock.
    """

    alone: list[list[float]]
    mixed: list[list[float]]
    texts_per_cpu_second: float
    texts_per_second: float
    p50_ms: float


def probe(predictor: Predictor, texts: Sequence[str], *, seconds: float) -> Probe:
    """Ask for as many texts, from the first on, as are answered alone in so many CPU seconds."""
    alone, walls, read = _one_by_one(predictor, [*map(predictor.read, texts)], seconds=seconds)
    mixed = _answer(predictor, read, _random_batches(len(read)))
    batches = list(batches_by_length([len(tokens) for tokens in read]))
    cpu, wall = zip(*(_timed(predictor, read, batches) for _ in range(ROUNDS)), strict=True)
    return Probe(
        alone=alone.tolist(),
        mixed=mixed.tolist(),
        texts_per_cpu_second=len(read) / min(cpu),
        texts_per_second=len(read) / min(wall),
        p50_ms=float(np.median(walls)) * 1000,
    )


def _one_by_one(
    predictor: Predictor, read: Sequence[Tokens], *, seconds: float
) -> tuple[FloatArray, list[float], Sequence[Tokens]]:
    started = time.process_time()
    answers: list[FloatArray] = []
    walls: list[float] = []
    for tokens in read:
        if answers and time.process_time() - started > seconds:
            break
        begun = time.perf_counter()
        answers.append(predictor.answer([tokens]))
        walls.append(time.perf_counter() - begun)
    return np.concatenate(answers), walls, read[: len(answers)]


def _random_batches(count: int) -> list[list[int]]:
    """Each place once, in batches of 1 to 8; the same on every call."""
    generator = np.random.default_rng(0)
    order = generator.permutation(count)
    ends = np.cumsum(generator.integers(1, MOST_ROWS + 1, count))
    return [part.tolist() for part in np.split(order, ends[ends < count])]


def _answer(
    predictor: Predictor, read: Sequence[Tokens], batches: Sequence[Sequence[int]]
) -> FloatArray:
    probabilities = np.zeros((len(read), len(predictor.labels)))
    for places in batches:
        probabilities[places] = predictor.answer([read[place] for place in places])
    return probabilities


def _timed(
    predictor: Predictor, read: Sequence[Tokens], batches: Sequence[Sequence[int]]
) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    _answer(predictor, read, batches)
    return time.process_time() - cpu, time.perf_counter() - wall


def main() -> None:
    asked = json.load(sys.stdin.buffer)
    files = {name: Path(path) for name, path in asked["files"].items()}
    try:
        predictor = Predictor.load(files, EngineName(asked["engine"]))
    except EngineUnavailable as error:
        told: dict[str, object] = {"unavailable": str(error)}
    else:
        told = asdict(probe(predictor, asked["texts"], seconds=asked["seconds"]))
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
