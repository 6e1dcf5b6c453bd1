"""A job that failed or was cancelled, asked for once more."""

from app.jobs.desk import Desk
from app.jobs.errors import JobNotRetryable
from app.jobs.schemas import JobCreate, JobRead, JobReplay
from app.jobs.service import create_job, find_job
from app.jobs.view import tell_request
from core.db.tables import JobRow
from core.ids import TenantId
from core.lifecycle import JobState, Purpose

RETRYABLE = (JobState.FAILED, JobState.CANCELLED)
ELSEWHERE = {
    Purpose.PILOT: "ask POST /jobs/estimate for its forecast again",
    Purpose.REPORT_CARD: "ask its teacher for a report card again",
    Purpose.PREDICT: "ask POST /predictions for it again",
}


def retry_job(
    desk: Desk,
    *,
    tenant: TenantId,
    job_id: str,
    idempotency_key: str | None,
) -> tuple[JobRead, bool]:
    """Queue the same request as a new job; returns it, and whether it was queued before under
    this key.

    Raises:
        NotFound: no such job.
        JobNotRetryable: it is of another kind, or has neither failed nor been cancelled.
        ServiceError: what would be refused as a new request; see `create_job`.
    """
    with desk.database.read() as session:
        row = find_job(session, tenant, job_id)
    _check(row)
    kind = JobCreate if row.from_job_id is None else JobReplay
    return create_job(
        desk,
        tenant=tenant,
        body=kind.model_validate(tell_request(row)),
        idempotency_key=idempotency_key,
        retry_of=row.id,
    )


def _check(row: JobRow) -> None:
    purpose = Purpose(row.purpose)
    if purpose in ELSEWHERE:
        kind = purpose.value.replace("_", " ")
        raise JobNotRetryable(f"{row.id} is a job of the kind {kind}: {ELSEWHERE[purpose]}.")
    if row.state not in RETRYABLE:
        raise JobNotRetryable(
            f"Job {row.id} is {row.state.value}: only one that failed or was cancelled can be "
            "tried again."
        )
