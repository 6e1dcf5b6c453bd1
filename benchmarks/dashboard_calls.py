"""How long does the API take for what a dashboard asks of large data?

`python -m benchmarks.dashboard_calls`: a dataset of 100,000 texts, and a job of 10,000 steps
with as much history as any job keeps; each call is made 30 times, one after the other.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from benchmarks.large_job import BAD_ROWS, EVENTS, ROWS, STEPS, add_dataset, add_job
from benchmarks.machine import describe_machine
from core.ids import DatasetId, JobId
from demo.service import API, running_service

Json = dict[str, Any]
# Ticks of the kernel's clock a second, in which it counts a process's time.
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Timed:
    """One kind of call, made many times.

    Attributes:
        wall_ms: of each, as its caller waits.
        cpu_ms: of the API's process, a call; what else the machine does has no part in it.
        size: bytes of an answer.
    """

    name: str
    wall_ms: Sequence[float]
    cpu_ms: float
    size: int


def main() -> None:
    """Make the data, ask, and print the times."""
    options = _options()
    console = Console()
    with (
        tempfile.TemporaryDirectory(prefix="llkd-calls-") as name,
        running_service(Path(name)) as service,
        httpx.Client(base_url=service.url, timeout=600, trust_env=False) as client,
    ):
        dataset_id = add_dataset(client, rows=options.rows, folder=Path(name))
        job_id = add_job(service.data_dir, dataset_id, rows=options.rows)
        timed = [
            _time(client, service.processes[API].pid, each, path, times=options.times)
            for each, path in _calls(job_id, dataset_id, rows=options.rows).items()
        ]
    console.print(_table(timed))
    if options.out:
        with options.out.open("a", encoding="utf-8") as out:
            found = {"machine": describe_machine(), "rows": options.rows}
            out.write(json.dumps(found | {"calls": [vars(each) for each in timed]}) + "\n")


def _calls(job_id: JobId, dataset_id: DatasetId, *, rows: int) -> Mapping[str, str]:
    job, dataset = f"/jobs/{job_id}", f"/datasets/{dataset_id}"
    return {
        "training": f"{job}/training",
        "training, all points": f"{job}/training?points=2000",
        "selection, latest": f"{job}/selection",
        "selection, in the middle": f"{job}/selection?frame={STEPS * 2}",
        "job": job,
        "jobs": "/jobs?limit=20",
        "events, first 100": f"{job}/events?limit=100",
        "events, last 100": f"{job}/events?limit=100&after={EVENTS - 100}",
        "rows, first 100": f"{dataset}/rows?limit=100",
        "rows, in the middle": f"{dataset}/rows?limit=100&after={rows // 2}",
        "rows, last 20": f"{dataset}/rows?limit=20&after={rows - 21}",
        "issues, first 100": f"{dataset}/issues?limit=100",
        "issues, last 20": f"{dataset}/issues?limit=20&after={BAD_ROWS - 21}",
        "dataset": dataset,
    }


def _time(client: httpx.Client, pid: int, name: str, path: str, *, times: int) -> Timed:
    answer = client.get(path)
    answer.raise_for_status()
    before, wall_ms = _cpu_s(pid), []
    for _ in range(times):
        began = time.perf_counter()
        client.get(path).raise_for_status()
        wall_ms.append(1000 * (time.perf_counter() - began))
    return Timed(name, wall_ms, 1000 * (_cpu_s(pid) - before) / times, len(answer.content))


def _cpu_s(pid: int) -> float:
    """Seconds of processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _table(timed: Sequence[Timed]) -> Table:
    table = Table(title="Calls of a dashboard")
    table.add_column("call")
    for heading in ("median ms", "worst ms", "CPU ms", "kB"):
        table.add_column(heading, justify="right")
    for each in timed:
        figures = (median(each.wall_ms), max(each.wall_ms), each.cpu_ms, each.size / 1000)
        table.add_row(each.name, *(f"{figure:,.1f}" for figure in figures))
    return table


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dashboard_calls", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--times", type=int, default=30, help="how often each call is made")
    parser.add_argument("--out", type=Path, help="append the figures as a JSON line")
    return parser.parse_args()


if __name__ == "__main__":
    main()
