"""Valid rows; a test states only what matters to it."""

from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from core.db.base import EPOCH, db_now
from core.db.repositories.models import ModelRepository, NewModel
from core.db.tables import DatasetRow, JobRow, JobStageRow, TeacherRow
from core.ids import TenantId, new_dataset_id, new_job_id, new_teacher_id
from core.lifecycle import JobState, Queue, Stage

TENANT = TenantId("default")
LEASE = timedelta(seconds=30)


def make_dataset(session: Session, **given: Any) -> DatasetRow:
    """A dataset of three texts, whose files need not exist."""
    values: dict[str, Any] = {
        "id": new_dataset_id(),
        "tenant_id": TENANT,
        "name": "tickets",
        "request_sha256": "0" * 64,
        "source_sha256": "1" * 64,
        "rows_artifact": "2" * 64,
        "issues_artifact": "3" * 64,
        "statistics": {"rows": 3},
        "size_bytes": 100,
    }
    dataset = DatasetRow(**values | given)
    session.add(dataset)
    session.flush()
    session.refresh(dataset)
    return dataset


def make_job(session: Session, *, state: JobState = JobState.QUEUED, **given: Any) -> JobRow:
    """A job in any state, with the attempt, lease and end that such a job has."""
    values: dict[str, Any] = {
        "id": new_job_id(),
        "tenant_id": TENANT,
        "name": "tickets",
        "spec": {"labels": [{"name": "billing"}, {"name": "tech"}]},
        "request_sha256": "0" * 64,
        "queue": Queue.ANY,
        "max_wall_seconds": 3600,
        "state": state,
    }
    if state is not JobState.QUEUED:
        values |= {"attempt": 1, "started_at": db_now(), "deadline_at": db_now(3600)}
    if state is JobState.RUNNING:
        values |= {"lease_owner": "worker-1", "lease_until": db_now(LEASE.total_seconds())}
    if state.is_terminal:
        values |= {"finished_at": db_now()}
    if "dataset_id" not in given:
        values["dataset_id"] = make_dataset(session, tenant_id=given.get("tenant_id", TENANT)).id
    job = JobRow(**values | given)
    session.add(job)
    session.flush()
    session.refresh(job)
    return job


def make_teacher(session: Session, **given: Any) -> TeacherRow:
    """A stored connection that needs no key."""
    values: dict[str, Any] = {
        "id": new_teacher_id(),
        "tenant_id": TENANT,
        "name": "gpt",
        "base_url": "https://api.openai.com/v1",
        "model": "gpt-4o-mini",
        "request_sha256": "0" * 64,
    }
    teacher = TeacherRow(**values | given)
    session.add(teacher)
    session.flush()
    session.refresh(teacher)
    return teacher


def make_stage(session: Session, job: JobRow, stage: Stage, **output: Any) -> None:
    """A stage that is done and left this."""
    session.add(
        JobStageRow(job_id=job.id, stage=stage.value, attempt=1, output=output, started_at=EPOCH)
    )
    session.flush()


def make_model(
    session: Session,
    job: JobRow,
    artifact: str,
    *,
    tenant: TenantId = TENANT,
    export: dict[str, Any] | None = None,
) -> None:
    """The model that the job made, one byte large."""
    new = NewModel(
        name="tickets",
        job_id=job.id,
        artifact=artifact,
        labels=["a", "b"],
        base_model="minilm",
        metrics={},
        export=export or {},
        size_bytes=1,
    )
    ModelRepository(session).register(tenant, new)


def make_training_point(**given: Any) -> dict[str, Any]:
    """A point of a training's curve, as it is inserted."""
    values: dict[str, Any] = {
        "candidate": 0,
        "number": 0,
        "step": 0,
        "epoch": 0,
        "seconds": 0.0,
        "seen": 32,
        "kept": 0,
        "loss_sum": 0.0,
        "looks": 0,
        "held_out_score": None,
        "thresholds": {"confidence": [0.9, 0.8], "uncertainty": [0.3, 0.4]},
    }
    return values | given


def make_selection_frame(**given: Any) -> dict[str, Any]:
    """A frame of a selection's map, of two texts, as it is inserted."""
    values: dict[str, Any] = {
        "candidate": 0,
        "number": 0,
        "step": 0,
        "epoch": 0,
        "seen": 2,
        "kept": 1,
        "quadrants": {
            "confident_uncertain": 1,
            "confident_certain": 0,
            "doubtful_uncertain": 0,
            "doubtful_certain": 1,
        },
        "thresholds": {"confidence": [0.9, 0.8], "uncertainty": [0.3, 0.4]},
        "points": {
            "index": [3, 7],
            "label": [0, 1],
            "confidence": [0.95, 0.6],
            "uncertainty": [0.5, 0.1],
            "kept": [True, False],
        },
    }
    return values | given
