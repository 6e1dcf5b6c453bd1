"""What can be done with jobs: made, found, listed, cancelled."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import orjson
from sqlalchemy.orm import Session

from app.idempotency import IdempotencyMismatch
from app.jobs import checks
from app.jobs.desk import Desk
from app.jobs.errors import JobNotCancellable
from app.jobs.event_stream import EVENTS_A_POLL, News
from app.jobs.parent import hold_parent, with_parent
from app.jobs.replay import checked_corrections, find_answers, whole_request
from app.jobs.rows import new_row, queue_row
from app.jobs.schemas import JobCreate, JobRead, JobReplay
from app.jobs.teacher_checks import check_budget, hold_teachers, with_teacher
from app.jobs.view import tell_event, tell_job
from app.pages import page_of
from core.artifacts import ArtifactStore
from core.db.repositories.datasets import DatasetRepository
from core.db.repositories.events import EventRepository
from core.db.repositories.inserts import IdempotencyKeyTaken
from core.db.repositories.jobs import JobRepository
from core.db.repositories.pages import Page
from core.db.repositories.stages import StageRepository
from core.db.session import Database
from core.db.tables import JobEventRow, JobRow, JobStageRow
from core.errors import Gone, NotFound
from core.ids import DatasetId, JobId, ModelId, TenantId, is_id
from core.lifecycle import EventType, JobState, Stage


def create_job(
    desk: Desk,
    *,
    tenant: TenantId,
    body: JobCreate | JobReplay,
    idempotency_key: str | None,
    retry_of: JobId | None = None,
) -> tuple[JobRead, bool]:
    """Queue a job; returns it, and whether it is that of an earlier request with this key.

    Two transactions: files are read between them, and SQLite's one writer must not
    wait for that.

    Raises:
        ValidationFailed, Gone, ModelNotAllowed, ResourceLimit: see `checks`.
        LabelsNotReady, NoResult: the answers of the job that it replays are not all there.
        IdempotencyMismatch: the key came before with another request.
        TooManyJobs: this tenant has as many unfinished ones as are allowed.
    """
    replay, from_job, answers = None, None, None
    if isinstance(body, JobReplay):
        replay, from_job = body, JobId(body.from_job)
        with desk.database.read() as session:
            body = whole_request(session, tenant, replay)
            answers = find_answers(session, desk.artifacts, replay)
    # Of what was asked: a name may mean another model when the request comes again.
    digest = request_digest(body.resolved(), replay=replay, retry_of=retry_of)
    with desk.database.read() as session:
        earlier = replayed_job(session, tenant, idempotency_key, digest)
        if earlier is not None:
            return read_job(session, earlier), True
        body = with_parent(session, tenant, body).resolved()
        datasets = checks.find_datasets(session, tenant, body)
        body = with_teacher(session, tenant, body, allow_list=desk.allow_list, prices=desk.prices)
    # A replay asks nobody.
    if from_job is None:
        check_budget(body.teacher, body.budget)
    checks.check_models(body, desk.models)
    checks.check_files(body, datasets, desk.artifacts)
    corrections = None
    if replay is not None and answers is not None:
        corrections = checked_corrections(replay, body, answers=answers)
    with desk.database.write() as session:
        checks.hold_datasets(session, tenant, body)
        hold_teachers(session, tenant, body.teacher)
        hold_parent(session, tenant, body.parent_model)
        # Asked again: the twin of this request may have come first since.
        earlier = replayed_job(session, tenant, idempotency_key, digest)
        if earlier is not None:
            return read_job(session, earlier), True
        row = new_row(body, tenant=tenant, idempotency_key=idempotency_key, digest=digest)
        row.from_job_id, row.retry_of_id, row.corrections = from_job, retry_of, corrections
        row.parent_model_id = None if body.parent_model is None else ModelId(body.parent_model)
        try:
            queue_row(session, row, settings=desk.settings, bell=desk.bell)
        except IdempotencyKeyTaken:
            earlier = replayed_job(session, tenant, idempotency_key, digest)
            assert earlier is not None, "the key is taken by a row that can be read"
            return read_job(session, earlier), True
        return read_job(session, row), False


def find_job(session: Session, tenant: TenantId, job_id: str) -> JobRow:
    """The row.

    Raises:
        NotFound: no id at all, unknown, or another tenant's: none can be told apart.
    """
    row = None
    if is_id(job_id, prefix="job"):
        row = JobRepository(session).get(tenant, JobId(job_id))
    if row is None:
        raise NotFound("job", job_id)
    return row


def find_rows(session: Session, artifacts: ArtifactStore, job: JobRow) -> Path:
    """The file of the texts that a job learns from.

    Raises:
        Gone: its dataset was deleted, and the texts with it.
    """
    return _rows_of(session, artifacts, job.tenant_id, job.dataset_id)


def find_evaluation_rows(session: Session, artifacts: ArtifactStore, job: JobRow) -> Path:
    """The file of the texts that a job is measured on: of its own dataset where it names no other.

    Raises:
        Gone: that dataset was deleted, and the texts with it.
    """
    dataset_id = job.evaluation_dataset_id or job.dataset_id
    return _rows_of(session, artifacts, job.tenant_id, dataset_id)


def read_job(session: Session, row: JobRow) -> JobRead:
    """A job as it is told."""
    done = StageRepository(session).get(row.id)
    return tell_job(row, done=done, begun=_begun(session, {row: done}).get(row.id))


def list_jobs(
    session: Session,
    tenant: TenantId,
    *,
    limit: int,
    after: str | None,
    state: JobState | None,
    dataset_id: str | None,
    from_job: str | None,
    metadata: Mapping[str, str],
) -> dict[str, object]:
    """A page of jobs, newest first."""
    page: Page[JobRow] = JobRepository(session).page(
        tenant,
        limit=limit,
        after=None if after is None else JobId(after),
        state=state,
        dataset_id=None if dataset_id is None else DatasetId(dataset_id),
        from_job_id=None if from_job is None else JobId(from_job),
        metadata=metadata,
    )
    done = StageRepository(session).of_jobs([row.id for row in page.rows])
    begun = _begun(session, {row: done[row.id] for row in page.rows})
    told = [tell_job(row, done=done[row.id], begun=begun.get(row.id)) for row in page.rows]
    return page_of(told, has_more=page.has_more)


def cancel_job(session: Session, tenant: TenantId, job_id: str) -> JobRead:
    """Cancel a queued job at once; ask a running one to stop. Asking twice changes nothing.

    Raises:
        JobNotCancellable: it has succeeded or failed.
    """
    find_job(session, tenant, job_id)
    row = JobRepository(session).request_cancel(tenant, JobId(job_id))
    assert row is not None, "jobs are never deleted"
    if row.state in {JobState.SUCCEEDED, JobState.FAILED}:
        raise JobNotCancellable(row.id, row.state.value)
    return read_job(session, row)


def read_news(
    database: Database, tenant: TenantId, job_id: str, after: int, *, limit: int = EVENTS_A_POLL
) -> News:
    """The next events of a job; opens and ends its own session."""
    with database.read() as session:
        # The state first: if it is terminal, its last event is already to be seen.
        ended = find_job(session, tenant, job_id).state.is_terminal
        events = EventRepository(session).page(JobId(job_id), after_seq=after, limit=limit)
        return News([tell_event(event) for event in events], ended)


def replayed_job(
    session: Session, tenant: TenantId, idempotency_key: str | None, digest: str
) -> JobRow | None:
    """The job that an earlier request with this key made, if there was one.

    Raises:
        IdempotencyMismatch: that was another request.
    """
    if idempotency_key is None:
        return None
    row = JobRepository(session).by_idempotency_key(tenant, idempotency_key)
    if row is None:
        return None
    if row.request_sha256 != digest:
        raise IdempotencyMismatch
    return row


def request_digest(
    body: JobCreate, *, replay: JobReplay | None = None, retry_of: JobId | None = None
) -> str:
    """Sha256 of what a resolved request means: spelling out a default changes nothing."""
    meaning = body.model_dump(mode="json")
    if body.parent_model is None:
        # As for requests of releases that knew no parents: their keys go on to be known.
        del meaning["parent_model"]
    elif "student" not in body.model_fields_set:
        # The parent's, not the one that is usual without a parent.
        meaning["student"] = None
    if replay is not None:
        meaning["from_job"] = replay.from_job
        if replay.corrections:
            meaning["corrections"] = [each.model_dump() for each in replay.corrections]
    if retry_of is not None:
        meaning["retry_of"] = retry_of
    return hashlib.sha256(orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _rows_of(
    session: Session, artifacts: ArtifactStore, tenant: TenantId, dataset_id: DatasetId
) -> Path:
    dataset = DatasetRepository(session).get(tenant, dataset_id)
    if dataset is None or dataset.deleted_at is not None:
        raise Gone("dataset", dataset_id)
    return artifacts.path(dataset.rows_artifact)


def _begun(
    session: Session, done: Mapping[JobRow, Mapping[Stage, JobStageRow]]
) -> Mapping[JobId, JobEventRow]:
    """When the stage that a job is in began, of those that are in one that is unfinished."""
    inside = [
        row.id
        for row, stages in done.items()
        if row.stage is not None and Stage(row.stage) not in stages
    ]
    if not inside:
        return {}
    return EventRepository(session).latest_of_jobs(inside, EventType.STAGE_STARTED)
