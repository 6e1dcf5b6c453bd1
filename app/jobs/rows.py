"""What a job's row holds, and how it comes into the queue."""

from sqlalchemy.orm import Session

from app.jobs.errors import TooManyJobs
from app.jobs.schemas import JobCreate
from core.config import Settings
from core.db.repositories.jobs import JobRepository
from core.db.session import after_commit
from core.db.tables import JobRow
from core.ids import DatasetId, TenantId, new_job_id
from core.lifecycle import Queue
from core.prices import MICROS
from core.queue import Bell

QUEUES = {"auto": Queue.ANY, "cpu": Queue.CPU, "gpu": Queue.GPU}


def new_row(
    body: JobCreate, *, tenant: TenantId, idempotency_key: str | None, digest: str
) -> JobRow:
    """The row of a resolved request."""
    budget, evaluation_id = body.budget, body.evaluation.dataset_id
    return JobRow(
        id=new_job_id(),
        tenant_id=tenant,
        name=body.name,
        labels_metadata=body.metadata,
        spec=body.spec().model_dump(mode="json"),
        dataset_id=DatasetId(body.dataset_id),
        evaluation_dataset_id=None if evaluation_id is None else DatasetId(evaluation_id),
        idempotency_key=idempotency_key,
        request_sha256=digest,
        queue=QUEUES[body.training.device].value,
        priority=body.priority,
        max_wall_seconds=budget.max_wall_seconds,
        cap_micros=None if budget.max_usd is None else round(budget.max_usd * MICROS),
        cap_calls=budget.max_teacher_calls,
    )


def queue_row(session: Session, row: JobRow, *, settings: Settings, bell: Bell) -> None:
    """Add the row, and ring for a worker once it is committed.

    Raises:
        TooManyJobs: its tenant has as many unfinished ones as are allowed.
        IdempotencyKeyTaken: another row has its key.
    """
    unfinished = JobRepository(session).count_active(row.tenant_id)
    if unfinished >= settings.max_queued_jobs:
        raise TooManyJobs(unfinished)
    JobRepository(session).add(row)
    # A worker must not hear of the job before it can see the row.
    after_commit(session, lambda: bell.ring(Queue(row.queue)))
    session.refresh(row)
