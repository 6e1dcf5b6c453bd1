"""Datasets with real files, jobs in every stage, and bodies that a test changes a little."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from core.artifacts import ArtifactStore
from core.dataset_files import ISSUES_SCHEMA, ROWS_SCHEMA
from core.db.repositories.claims import Claim
from core.db.repositories.engine import EngineRepository
from core.db.repositories.events import EventRepository
from core.db.repositories.stages import StageRepository
from core.db.session import Database
from core.ids import DatasetId, JobId, TenantId
from core.label_files import LabelEntry, Role, write_labels
from core.lifecycle import EventType, JobState, Queue, Stage
from tests.factories import LEASE, TENANT, make_dataset, make_job

Json = dict[str, Any]
LABELS = ("billing", "tech")
TEXTS = [f"text number {place}" for place in range(40)]


def store_dataset(
    database: Database,
    artifacts: ArtifactStore,
    *,
    texts: Sequence[str] = TEXTS,
    gold: Sequence[str | None] | None = None,
    provided: Sequence[str | None] | None = None,
    votes: Sequence[str | None] | None = None,
    tenant: TenantId = TENANT,
    **given: Any,
) -> DatasetId:
    """A dataset whose files exist."""
    rows = [
        {
            "text": text,
            "copies": 1,
            "line": place + 1,
            "gold": gold[place] if gold else None,
            "teacher_label": provided[place] if provided else None,
            "teacher_votes": votes[place] if votes else None,
        }
        for place, text in enumerate(texts)
    ]
    with database.write() as session:
        return make_dataset(
            session,
            tenant_id=tenant,
            rows_artifact=_put_table(artifacts, rows, ROWS_SCHEMA),
            issues_artifact=_put_table(artifacts, [], ISSUES_SCHEMA),
            **given,
        ).id


def job_body(dataset_id: str, **changes: Any) -> Json:
    """What `POST /jobs` needs at least, and what the test adds."""
    body: Json = {
        "dataset_id": dataset_id,
        "labels": [{"name": name} for name in LABELS],
        "teacher": {"kind": "few_shot"},
    }
    return body | changes


def add_job(
    database: Database, *, state: JobState = JobState.QUEUED, events: int = 0, **given: Any
) -> JobId:
    """A job in this state, made without the API, with some events of no importance."""
    spec = {
        "labels": [{"name": name, "description": "", "examples": []} for name in LABELS],
        "instruction": "",
        "teacher": {"kind": "few_shot", "model": "minilm", "revision": None},
        "student": {"model": "minilm", "revision": None, "max_length": 256},
        "confidence": "auto",
        "selection": {"kind": "llkd", "labeling": "eager", "momentum": None},
        "training": {"epochs": 6, "batch_size": 32},
    }
    with database.write() as session:
        job = make_job(session, state=state, **({"spec": spec} | given))
        for place in range(events):
            EventRepository(session).append(
                job.id, EventType.TEACHER_PROGRESS, {"place": place, "text": "é\n"}
            )
        return job.id


def finish_stages(
    database: Database, job_id: JobId, outputs: Mapping[Stage, Json], *, ended: bool = True
) -> None:
    """Claim the queued job and store these stages, as a worker does; then let it succeed."""
    with database.write() as session:
        claimed = EngineRepository(session).claim(
            queues=[Queue.ANY], worker="worker-1", lease=LEASE
        )
        assert claimed is not None
        assert claimed.id == job_id
        claim = Claim(claimed.id, claimed.attempt)
    for stage, output in outputs.items():
        with database.write() as session:
            EngineRepository(session).fence(claim, stage=stage.value)
            EventRepository(session).append(
                job_id, EventType.STAGE_STARTED, {"stage": stage.value, "attempt": claim.attempt}
            )
        with database.write() as session:
            StageRepository(session).done(
                claim, stage, output=output, started_at=datetime(2026, 7, 1, tzinfo=UTC)
            )
    if ended:
        with database.write() as session:
            EngineRepository(session).finish(
                claim,
                state=JobState.SUCCEEDED,
                result={
                    "model_id": "model_01JZ8Q4ZK3V9W2T5R7X1M6N0PD",
                    "stop_reason": "completed",
                    "metrics": {},
                },
            )


def label_output(artifacts: ArtifactStore, entries: Sequence[LabelEntry]) -> Json:
    """What the label stage leaves."""
    path = artifacts.scratch_path(".parquet")
    write_labels(path, [entries])
    counts = {"asked": 40, "cached": 3, "answered": 39, "refused": 0}
    counts |= {"malformed": 1, "too_long": 0, "failed": 0, "missing": 0}
    return {
        "labels": artifacts.put(path),
        "evaluation_labels": None,
        "rows": len(entries),
        "counts": counts,
        "confidence_source": "calibrated",
        "confidence": {
            "used": "given",
            "known": 39,
            "distinct": 7,
            "skill": None,
            "agreement": None,
        },
        "estimated_confidence": None,
        "cut_short": None,
        "effort": {"units": 40, "seconds": 1.5},
    }


def calibration_output() -> Json:
    """What the label stage leaves of a calibration."""
    gold: Json = {"rows": 80, "which": "measuring"}
    bins = [
        {"lower": n / 10, "upper": (n + 1) / 10, "count": 0, "confidence": None, "accuracy": None}
        for n in range(9)
    ]
    bins.append({"lower": 0.9, "upper": 1.0, "count": 80, "confidence": 0.95, "accuracy": 0.7})
    figures: Json = {"rows": 80, "accuracy": 0.7, "ece": 0.25, "brier": 0.3, "log_loss": 0.9}
    figures |= {"auroc": 0.7, "auroc_within": None, "tied": 0.1, "reliability": bins}
    tried: Json = {"method": "temperature", "log_loss": 0.6, "ece": 0.05, "accuracy": 0.7}
    return {
        "asked": "auto",
        "method": "temperature",
        "id": "3f9a1c07be52",
        "parameters": {"temperature": 2.5},
        "reason": "improved",
        "fitted_on": gold,
        "measured_on": gold,
        "folds": [f"{digit}" * 12 for digit in range(5)],
        "before": figures,
        "after": figures | {"log_loss": 0.6, "ece": 0.05},
        "tried": [tried],
        "changed": 0,
    }


def answered(label: str, confidence: float) -> LabelEntry:
    probabilities = [confidence, 1 - confidence]
    if label != LABELS[0]:
        probabilities.reverse()
    return LabelEntry(
        Role.TRAIN,
        "answered",
        label=label,
        probabilities=probabilities,
        confidence=confidence,
        confidence_source="calibrated",
    )


TRAIN_OUTPUT: Json = {
    "student": "4" * 64,
    "dynamics": "6" * 64,
    "weights_sha256": "5" * 64,
    "pool_size": 36,
    "counters": {
        "seen": 90,
        "kept": 30,
        "forwards": 100,
        "gradient_samples": 28,
        "steps": 4,
        "tokens": 900,
        "unique_samples": 18,
    },
    "held_out_score": 0.75,
    "looks": [[2, 0.5], [4, 0.75]],
    "averaged": True,
    "ended": "finished",
    "stop_reason": "completed",
    "effort": {"units": 12, "seconds": 20.25},
}


def evaluate_output(*, with_gold: bool) -> Json:
    """What the evaluate stage leaves."""
    interval = {"value": 0.8, "low": 0.7, "high": 0.9}
    bins = [
        {"lower": n / 15, "upper": (n + 1) / 15, "count": 0, "confidence": None, "accuracy": None}
        for n in range(14)
    ]
    bins.append({"lower": 14 / 15, "upper": 1.0, "count": 10, "confidence": 0.95, "accuracy": 0.8})
    label: Json = {"precision": 0.8, "recall": 0.8, "f1": 0.8}
    label |= {"support": 5, "predicted": 5, "unanswered": 0}
    scores: Json = {"rows": 10, "unanswered": 0, "accuracy": interval, "macro_f1": interval}
    scores |= {
        "per_class": [{"label": name, **label} for name in LABELS],
        "confusion": [[4, 1], [1, 4]],
        "calibration": {
            "rows": 10,
            "mean_confidence": 0.95,
            "ece": 0.15,
            "bins": bins,
            "auroc": None,
            "distinct": 10,
        },
    }
    teacher = scores | {"teacher_agreement": None}
    student = scores | {"teacher_agreement": {"value": 0.9, "rows": 10}}
    counts = {"asked": 40, "cached": 3, "answered": 39, "refused": 0}
    counts |= {"malformed": 1, "too_long": 0, "failed": 0, "missing": 0}
    return {
        "report": {
            "gold_rows": 10 if with_gold else 0,
            "gold_source": "evaluation_dataset" if with_gold else None,
            "teacher": teacher if with_gold else None,
            "student": student if with_gold else None,
            "held_out_agreement": {"value": 0.95, "rows": 20},
            "labels": counts,
            "candidates": [],
            "training": {},
        },
        "metrics": {"macro_f1": 0.8 if with_gold else None, "teacher_agreement": 0.9},
        "audit": "7" * 64,
        "effort": {"units": 30, "seconds": 2.0},
    }


def cascade_output() -> Json:
    """What the export stage leaves of a model that certification texts came with."""
    point = {"below": "teacher", "target": 0.95, "delta": 0.05, "certified": True}
    point |= {"coverage": 0.5, "agreement": 0.97, "bound": 0.955}
    point |= {"thresholds": {"billing": 0.7, "tech": None}}
    told: Json = {"rows": 200, "source": "certification", "temperature": 1.3}
    return told | {"ece_before": 0.1, "ece_after": 0.02, "curve": [point]}


def _put_table(artifacts: ArtifactStore, rows: Sequence[Json], schema: pa.Schema) -> str:
    path = artifacts.scratch_path(".parquet")
    pq.write_table(pa.Table.from_pylist(list(rows), schema), path)
    return artifacts.put(path)
