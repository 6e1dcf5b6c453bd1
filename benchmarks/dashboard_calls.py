"""How long does the API take for what a dashboard asks of large data?

`python -m benchmarks.dashboard_calls`: a dataset of 100,000 texts, and a job of 10,000 steps
with as much history as any job keeps; each call is made 30 times, one after the other.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import make_url

from benchmarks.machine import describe_machine
from core.db.base import db_now
from core.db.repositories.events import EventRepository
from core.db.repositories.histories import HistoryRepository
from core.db.session import Database
from core.db.tables import JobRow, SelectionFrameRow, TrainingPointRow
from core.ids import DatasetId, JobId, TenantId, new_job_id
from core.lifecycle import EventType, JobState, Queue
from demo.service import API, running_service

Json = dict[str, Any]
TENANT = TenantId("default")
# As much as `worker.history` and `worker.book` keep of a long job of this many labels.
LABELS = 77
POINTS = 50_000 // LABELS
FRAMES = 256
TEXTS_A_FRAME = 2 * LABELS
EVENTS = 2000
STEPS = 10_000
BAD_ROWS = 5000
# Ticks of the kernel's clock a second, in which it counts a process's time.
TICKS = os.sysconf("SC_CLK_TCK")
WORDS = (
    "refund",
    "invoice",
    "parcel",
    "password",
    "please",
    "again",
    "where",
    "crash",
    "the",
    "my",
)


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
        dataset_id = _upload(client, rows=options.rows, folder=Path(name))
        job_id = _add_job(service.data_dir, dataset_id, rows=options.rows)
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


def _upload(client: httpx.Client, *, rows: int, folder: Path) -> DatasetId:
    """A dataset of different texts, and of rows that are set aside."""
    path = folder / "texts.jsonl"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(_lines(rows))
    with path.open("rb") as file:
        answer = client.post("/datasets", files={"file": file})
    answer.raise_for_status()
    statistics = answer.json()["statistics"]
    assert (statistics["unique"], statistics["set_aside"]) == (rows, BAD_ROWS), statistics
    return DatasetId(answer.json()["id"])


def _lines(rows: int) -> Iterator[str]:
    lot = np.random.default_rng(0)
    for place in range(rows):
        words = lot.choice(WORDS, int(lot.integers(5, 60)))
        yield json.dumps({"text": " ".join([*words, str(place)])}) + "\n"
    for _ in range(BAD_ROWS):
        yield json.dumps({"text": ""}) + "\n"


def _add_job(data_dir: Path, dataset_id: DatasetId, *, rows: int) -> JobId:
    """A job that has ended, made without a worker: its training would take hours."""
    job = JobRow(
        id=new_job_id(),
        tenant_id=TENANT,
        name="tickets",
        spec={"labels": [{"name": f"label {n}"} for n in range(LABELS)]},
        dataset_id=dataset_id,
        request_sha256="0" * 64,
        queue=Queue.ANY,
        max_wall_seconds=3600,
        state=JobState.CANCELLED,
        finished_at=db_now(),
    )
    lot = np.random.default_rng(0)
    database = Database(make_url(f"sqlite:///{data_dir / 'llkd.db'}"))
    with database.write() as session:
        session.add(job)
        session.flush()
        histories, events = HistoryRepository(session), EventRepository(session)
        place = {"job_id": job.id, "candidate": 0}
        histories.add(TrainingPointRow, [place | _point(n, lot) for n in range(POINTS)])
        histories.add(SelectionFrameRow, [place | _frame(n, lot, rows) for n in range(FRAMES)])
        for n in range(EVENTS):
            about = {"step": n, "thresholds": _thresholds(lot), "selected_fraction": 0.25}
            events.append(job.id, EventType.SELECTION_UPDATED, about)
    database.dispose()
    return job.id


def _point(n: int, lot: np.random.Generator) -> Json:
    seen = 4 * TEXTS_A_FRAME * (n + 1)
    return {
        "number": 4 * n * STEPS // POINTS,
        "step": n * STEPS // POINTS,
        "epoch": n // 100,
        "seconds": 1.7 * n,
        "seen": seen,
        "kept": seen // 4,
        "loss_sum": 1.1 * n,
        "looks": n // 2,
        "held_out_score": float(lot.random()),
        "thresholds": _thresholds(lot),
    }


def _frame(n: int, lot: np.random.Generator, rows: int) -> Json:
    parts = ("confident_uncertain", "confident_certain", "doubtful_uncertain", "doubtful_certain")
    return {
        "number": 4 * n * STEPS // FRAMES,
        "step": n * STEPS // FRAMES,
        "epoch": n // 10,
        "seen": TEXTS_A_FRAME,
        "kept": 40,
        "quadrants": dict.fromkeys(parts, TEXTS_A_FRAME // 4),
        "thresholds": _thresholds(lot),
        "points": {
            "index": lot.integers(rows, size=TEXTS_A_FRAME).tolist(),
            "label": lot.integers(LABELS, size=TEXTS_A_FRAME).tolist(),
            "confidence": lot.random(TEXTS_A_FRAME).round(5).tolist(),
            "uncertainty": lot.random(TEXTS_A_FRAME).round(5).tolist(),
            "kept": (lot.random(TEXTS_A_FRAME) < 0.25).tolist(),
        },
    }


def _thresholds(lot: np.random.Generator) -> Json:
    return {name: lot.random(LABELS).round(5).tolist() for name in ("confidence", "uncertainty")}


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
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=30, help="how often each call is made")
    parser.add_argument("--out", type=Path, help="append the figures as a JSON line")
    return parser.parse_args()


if __name__ == "__main__":
    main()
