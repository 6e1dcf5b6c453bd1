"""Does the API stay within its memory when far more models are asked for than fit?

`python -m benchmarks.many_models`: 500 models, a tenth of them of MiniLM's size, 50 predictions
each in random order, under a cap of 2 GB for what is loaded.
"""

import argparse
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console

from benchmarks.contenders import ours
from benchmarks.judged_run import run_judged
from benchmarks.light_http import post
from benchmarks.load_generator import AskEach, LoadGenerator, load_generator
from benchmarks.memory_course import MemoryCourse
from benchmarks.model_shelf import Stocked, stock
from benchmarks.registering import shelf
from benchmarks.running import Running, running
from benchmarks.served_model import ensure_model
from benchmarks.serving import add_model_options, read_texts
from benchmarks.serving_figures import OK, percentile
from benchmarks.serving_targets import Verdict
from demo.service import HOST

MIB = 2**20
CAP = 2 * 10**9
MOST_OVER_CAP = 1.1
# Requests between two looks at the bodies, which would fill our own memory.
PART = 500
_LOADS = re.compile(r'^llkd_model_loads_total\{outcome="(\w+)"\} ([0-9.e+]+)$', re.MULTILINE)


@dataclass(frozen=True)
class ManyModels:
    """What became of the predictions.

    Attributes:
        models, large: how many, and how many of these were of MiniLM's size.
        statuses: how many requests got each; 0 is no answer.
        wrong: answers 200 that came from another model than the one asked.
        loads: of models, by outcome, as the API counts them.
        wall_s: of all predictions.
        p50_ms, p99_ms: of a request, with its load where it needed one.
        cap: bytes that loaded models may take, as the API is told.
        memory: resident bytes, sampled twice a second.
        memory_peak: the most there ever were.
    """

    models: int
    large: int
    statuses: dict[int, int]
    wrong: int
    loads: dict[str, int]
    wall_s: float
    p50_ms: float
    p99_ms: float
    cap: int
    memory: list[int]
    memory_peak: int


@dataclass(frozen=True)
class Judged:
    """A reply without its body."""

    latency_s: float
    status: int
    wrong: bool


def main() -> int:
    """Measure and print; 0 when every target is met."""
    return run_judged(_options(), _measure, describe=describe, judge=judge)


def _measure(options: argparse.Namespace, scratch: Path, console: Console) -> ManyModels:
    texts = read_texts(options)
    first = options.data_dir or scratch / "first"
    model = ensure_model(first, texts, brought=options.model_dir, console=console)
    with shelf(first) as stored, shelf(scratch / "var") as new:
        stocked = stock(
            new, stored.files(model), scratch, count=options.models, large=options.large
        )
    console.print(f"{len(stocked)} models are registered.")
    settings = {**options.setting, "LLKD_PREDICT_CACHE_BYTES": str(options.cap)}
    with (
        running(ours(scratch / "var", stocked[0].id, settings=settings), scratch) as server,
        load_generator() as generator,
        MemoryCourse(server.pid) as memory,
    ):
        began = time.perf_counter()
        replies = _predict(server, generator, stocked, texts.asked, options)
        wall_s = time.perf_counter() - began
        loads = _loads(server)
        peak = memory.peak
    latencies = [reply.latency_s for reply in replies]
    return ManyModels(
        models=options.models,
        large=options.large,
        statuses=dict(sorted(Counter(reply.status for reply in replies).items())),
        wrong=sum(reply.wrong for reply in replies),
        loads=loads,
        wall_s=wall_s,
        p50_ms=1000 * percentile(latencies, 0.5),
        p99_ms=1000 * percentile(latencies, 0.99),
        cap=options.cap,
        memory=memory.samples,
        memory_peak=peak,
    )


def _predict(
    server: Running,
    generator: LoadGenerator,
    stocked: Sequence[Stocked],
    texts: Sequence[str],
    options: argparse.Namespace,
) -> list[Judged]:
    """Every model as often as asked, in random order."""
    rng = random.Random(options.seed)
    order = [model for model in stocked for _ in range(options.predictions)]
    rng.shuffle(order)
    found: list[Judged] = []
    for start in range(0, len(order), PART):
        part = order[start : start + PART]
        requests = [
            post("/predict", {"model": model.id, "input": rng.choice(texts)}) for model in part
        ]
        replies = generator.ask_each(AskEach(server.port, requests, options.connections))
        for model, reply in zip(part, replies, strict=True):
            wrong = reply.shot.status == OK and not comes_from(model, reply.body)
            found.append(Judged(reply.shot.latency_s, reply.shot.status, wrong))
    return found


def comes_from(model: Stocked, body: bytes) -> bool:
    """Whether an answer names this model and one of its own labels."""
    answer = json.loads(body)
    return answer["model"] == model.id and answer["data"][0]["label"] in model.labels


def _loads(server: Running) -> dict[str, int]:
    text = httpx.get(f"http://{HOST}:{server.port}/metrics", timeout=30, trust_env=False).text
    return {outcome: int(float(count)) for outcome, count in _LOADS.findall(text)}


def judge(found: ManyModels) -> list[Verdict]:
    """Memory, that every request was answered, and by the model it named."""
    most = MOST_OVER_CAP * found.cap
    other = {status: count for status, count in found.statuses.items() if status != OK}
    return [
        Verdict(
            f"memory ≤ {MOST_OVER_CAP:g} x the cap ({most / MIB:,.0f} MiB)",
            f"at most {found.memory_peak / MIB:,.0f} MiB, {found.memory[-1] / MIB:,.0f} at the end",
            found.memory_peak <= most,
        ),
        Verdict("every prediction is answered", f"others: {other or 'none'}", not other),
        Verdict("by the model it names", f"{found.wrong} by another", found.wrong == 0),
    ]


def describe(found: ManyModels) -> str:
    loads = ", ".join(f"{count:,} {outcome}" for outcome, count in found.loads.items())
    asked = sum(found.statuses.values())
    return (
        f"{found.models} models, {found.large} of them large: {asked:,} predictions in "
        f"{found.wall_s:,.0f} s, p50 {found.p50_ms:,.1f} ms, p99 {found.p99_ms:,.1f} ms, loads of "
        f"models: {loads}.\n"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="many_models", description=__doc__)
    parser.add_argument("--models", type=int, default=500)
    parser.add_argument("--large", type=int, default=50, help="of these, of MiniLM's size")
    parser.add_argument("--predictions", type=int, default=50, help="of each model")
    parser.add_argument("--connections", type=int, default=4, help="predictions at a time")
    parser.add_argument("--cap", type=int, default=CAP, help="bytes of loaded models")
    add_model_options(parser)
    options = parser.parse_args()
    options.setting = dict(options.setting or ())
    return options


if __name__ == "__main__":
    sys.exit(main())
