"""What the engine itself can do: a process that classifies without HTTP, on one thread."""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from llkd.engines.base import EngineName
from llkd.predictor import Predictor

# As many as wait at the highest concurrency that is measured.
WAITING = 32


@dataclass(frozen=True)
class Limit:
    """One measurement of the engine.

    Attributes:
        cpu_ms_a_text: the texts sorted by length, batches of similar length, at most 8.
        cpu_ms_of_waiting: the same with only 32 texts to choose neighbours from.
        latencies_s: of one text a call.
    """

    cpu_ms_a_text: float
    cpu_ms_of_waiting: float
    latencies_s: list[float]


class InProcess:
    """Talks to the process."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def measure(self, seconds: float) -> Limit:
        """Spend about so many seconds, a third on each figure."""
        self._pipe.send(seconds)
        found: Limit = self._pipe.recv()
        return found


@contextmanager
def in_process(
    files: Mapping[str, Path], texts: Sequence[str], engine: EngineName
) -> Iterator[InProcess]:
    """Load the model in a process of its own, as the API loads it, and call it on one thread."""
    start = multiprocessing.get_context("spawn")
    here, there = start.Pipe()
    process = start.Process(
        target=_serve, args=(there, dict(files), list(texts), engine), daemon=True
    )
    process.start()
    there.close()
    try:
        yield InProcess(here)
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Pipe, files: dict[str, Path], texts: list[str], engine: EngineName) -> None:
    predictor = Predictor.load(files, engine)
    predictor.classify(texts)
    while True:
        try:
            share_s = pipe.recv() / 3
        except EOFError:
            return
        parts = [texts[place : place + WAITING] for place in range(0, len(texts), WAITING)]
        pipe.send(
            Limit(
                _cpu_ms(lambda: len(predictor.classify(texts).truncated), share_s),
                _cpu_ms(_in_turn(predictor, parts), share_s),
                _latencies(predictor, texts, share_s),
            )
        )


def _in_turn(predictor: Predictor, parts: Sequence[list[str]]) -> Callable[[], int]:
    """A function that classifies the next part with each call and returns its size."""
    turn = 0

    def classify() -> int:
        nonlocal turn
        turn += 1
        return len(predictor.classify(parts[turn % len(parts)]).truncated)

    return classify


def _cpu_ms(classify: Callable[[], int], seconds: float) -> float:
    """CPU milliseconds a text of calls that return how many they classified."""
    until, cpu_s, count = time.perf_counter() + seconds, time.process_time(), 0
    while not count or time.perf_counter() < until:
        count += classify()
    return 1000 * (time.process_time() - cpu_s) / count


def _latencies(predictor: Predictor, texts: Sequence[str], seconds: float) -> list[float]:
    until = time.perf_counter() + seconds
    found: list[float] = []
    while not found or time.perf_counter() < until:
        began = time.perf_counter()
        predictor.classify([texts[len(found) % len(texts)]])
        found.append(time.perf_counter() - began)
    return found
