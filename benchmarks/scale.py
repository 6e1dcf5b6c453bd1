"""What do 10,000, 30,000 and 100,000 texts cost, in seconds and in memory, stage by stage?

`python -m benchmarks.scale --sizes 10000,30000,100000`: upload, label, train,
export and predict through the HTTP API, on a fresh service for every size.
"""

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe_machine
from benchmarks.memory import PeakMemory
from benchmarks.short_texts import short_texts, write_texts
from demo.phrases import load_intents
from demo.results import stage_seconds
from demo.service import WORKER, Service, ServiceFailed, running_service
from demo.watching import connect, follow
from llkd_client import Client, Dataset, Job, LlkdError

Json = dict[str, Any]
PREDICT_BATCH = 64
# Seconds may grow with rows to at most this power before we no longer say "linear": a
# little room for a machine that is not ours alone.
LINEAR_EXPONENT = 1.1
# A stage this short is mostly start-up, and says nothing about growth.
NEGLIGIBLE_S = 2.0
MIB = 2**20


@dataclass(frozen=True)
class SizeResult:
    """One size: wall seconds of each step, peak resident bytes of each process."""

    rows: int
    seconds: dict[str, float]
    peak_bytes: dict[str, int]
    gradient_samples: int


def main() -> int:
    """Measure every size; 0 when all of it worked and stayed below the memory limit."""
    options = _options()
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    machine = describe_machine()
    console.print(" · ".join(f"{name} {value}" for name, value in machine.items()))
    try:
        results = [
            _kept(_measure(size, options, console), options, machine) for size in options.sizes
        ]
    except (ServiceFailed, LlkdError) as error:
        console.print(f"Failed: {error}", style="red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130
    console.print(as_table(results))
    console.print(growth_verdict(results))
    worst = max(max(result.peak_bytes.values()) for result in results)
    console.print(f"Largest process: {worst / MIB:,.0f} MiB (limit {options.max_mib:,} MiB).")
    return 0 if worst <= options.max_mib * MIB else 1


def _kept(
    result: SizeResult, options: argparse.Namespace, machine: Mapping[str, str]
) -> SizeResult:
    """The same result, written down: the largest size takes long, and may be interrupted."""
    if options.out is not None:
        with options.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**asdict(result), "machine": machine}) + "\n")
    return result


def _measure(size: int, options: argparse.Namespace, console: Console) -> SizeResult:
    with (
        tempfile.TemporaryDirectory(prefix="llkd-scale-") as scratch,
        running_service(Path(scratch) / "var") as service,
        connect(service.url) as client,
        PeakMemory(
            {name: process.pid for name, process in service.processes.items()},
            children_of=WORKER,
        ) as memory,
    ):
        file = Path(scratch) / "texts.jsonl"
        write_texts(file, size, seed=options.seed)
        started = time.monotonic()
        dataset = client.datasets.add(file, name=f"scale-{size}")
        seconds = {"upload": time.monotonic() - started}
        job = _job(client, service, _spec(dataset, options), console, title=f"{size:,} texts")
        seconds |= stage_seconds(job)
        seconds["predict"] = _predict(client, _model_of(job), size, seed=options.seed)
        training = client.jobs.report(job.id).training
    return SizeResult(size, seconds, memory.peaks, training.gradient_samples)


def _job(client: Client, service: Service, spec: Json, console: Console, *, title: str) -> Job:
    job_id = client.jobs.create(**spec).id
    return follow(client, job_id, title=title, console=console, alive=service.check)


def _model_of(job: Job) -> str:
    assert job.model_id is not None
    return job.model_id


def _spec(dataset: Dataset, options: argparse.Namespace) -> Json:
    return {
        "name": "scale",
        "dataset_id": dataset.id,
        "labels": [
            {
                "name": intent.name,
                "description": intent.description,
                "examples": list(intent.examples),
            }
            for intent in load_intents()
        ],
        "teacher": {"kind": "few_shot"},
        "selection": {"kind": options.selection},
        # Stopping early would make the cost depend on luck rather than on the rows.
        "training": {"epochs": options.max_epochs, "early_stopping": options.early_stopping},
    }


def _predict(client: Client, model: str, size: int, *, seed: int) -> float:
    """Seconds to classify as many texts again, in requests of PREDICT_BATCH, one at a time."""
    texts = short_texts(size, seed=seed + 1)
    spent = 0.0
    while batch := list(islice(texts, PREDICT_BATCH)):
        started = time.monotonic()
        client.predict(model, batch, top_k=1)
        spent += time.monotonic() - started
    return spent


def as_table(results: Sequence[SizeResult]) -> Table:
    """A column a size; seconds and rows a second for each step, then memory."""
    table = Table(title="Seconds (rows a second), peak MiB", title_justify="left")
    table.add_column("")
    for result in results:
        table.add_column(f"{result.rows:,} texts", justify="right", no_wrap=True)
    for step in results[0].seconds:
        table.add_row(step, *(_pace(result, step) for result in results))
    table.add_row("all", *(f"{sum(result.seconds.values()):,.1f}" for result in results))
    table.add_row("gradient samples", *(f"{result.gradient_samples:,}" for result in results))
    for process in results[0].peak_bytes:
        peaks = (f"{result.peak_bytes[process] / MIB:,.0f}" for result in results)
        table.add_row(f"{process} memory", *peaks)
    return table


def growth_exponents(results: Sequence[SizeResult]) -> dict[str, float]:
    """The steepest growth of each step between neighbouring sizes: 1 is linear, 2 quadratic.

    Steps that stay negligible are left out.
    """
    found: dict[str, float] = {}
    for smaller, larger in pairwise(sorted(results, key=lambda result: result.rows)):
        for step, seconds in larger.seconds.items():
            if seconds >= NEGLIGIBLE_S:
                ratio = seconds / max(smaller.seconds[step], 1e-3)
                exponent = math.log(ratio) / math.log(larger.rows / smaller.rows)
                found[step] = max(found.get(step, -math.inf), exponent)
    return found


def growth_verdict(results: Sequence[SizeResult]) -> str:
    """One sentence on whether cost grows in proportion to the rows."""
    exponents = growth_exponents(results)
    if not exponents:
        return "Growth: one size, or nothing that takes long enough to tell."
    said = ", ".join(f"{step} n^{exponent:.2f}" for step, exponent in exponents.items())
    steeper = [step for step, exponent in exponents.items() if exponent > LINEAR_EXPONENT]
    if steeper:
        return f"Cost grows faster than linearly in {', '.join(steeper)} ({said})."
    return f"Cost grows linearly or slower ({said})."


def _pace(result: SizeResult, step: str) -> str:
    seconds = result.seconds[step]
    return f"{seconds:,.1f} ({result.rows / max(seconds, 1e-3):,.0f})"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sizes",
        type=lambda sizes: [int(size) for size in sizes.split(",")],
        default=[10_000, 30_000, 100_000],
    )
    parser.add_argument("--max-epochs", type=int, default=1)
    parser.add_argument("--selection", choices=["llkd", "all", "random"], default="llkd")
    parser.add_argument("--early-stopping", action="store_true")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--max-mib", type=int, default=2048, help="of any one process")
    parser.add_argument("--out", type=Path, default=None, help="JSON lines are appended here")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
