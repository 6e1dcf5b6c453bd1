"""A dataset of 100,000 texts and a job of 10,000 steps, for what looks at them to be timed.

The job is written as if it had been trained, with as much history as any job keeps: its
training would take hours.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from sqlalchemy.engine import make_url

from core.db.base import db_now
from core.db.repositories.events import EventRepository
from core.db.repositories.histories import HistoryRepository
from core.db.session import Database
from core.db.tables import JobRow, SelectionFrameRow, TrainingPointRow
from core.ids import DatasetId, JobId, TenantId, new_job_id
from core.lifecycle import EventType, JobState, Queue

Json = dict[str, Any]
ROWS = 100_000
TENANT = TenantId("default")
# As much as `worker.history` and `worker.book` keep of a long job of this many labels.
LABELS = 77
POINTS = 50_000 // LABELS
FRAMES = 256
TEXTS_A_FRAME = 2 * LABELS
EVENTS = 2000
STEPS = 10_000
BAD_ROWS = 5000
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


def add_dataset(client: httpx.Client, *, rows: int, folder: Path) -> DatasetId:
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


def add_job(data_dir: Path, dataset_id: DatasetId, *, rows: int) -> JobId:
    """A job that has ended, made without a worker."""
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
