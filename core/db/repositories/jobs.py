"""Jobs as their tenants see them: added, listed, asked to stop."""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, String, case, cast, exists, func, literal, or_, select, update
from sqlalchemy.orm import Session

from core.db.base import db_now
from core.db.repositories import moves
from core.db.repositories.events import EventRepository
from core.db.repositories.inserts import insert_keyed
from core.db.repositories.pages import Page, read_page
from core.db.tables import JobRow
from core.ids import DatasetId, JobId, ModelId, TeacherId, TenantId
from core.lifecycle import EventType, JobState, Purpose, Queue

ACTIVE = (JobState.QUEUED, JobState.RUNNING)


class JobRepository:
    """Each method runs in the caller's transaction."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def add(self, job: JobRow) -> JobRow:
        """Insert a queued job and its `job.queued` event.

        Raises:
            IdempotencyKeyTaken: this tenant already has a job with this key; the
                transaction goes on, and `by_idempotency_key` finds that job.
        """
        insert_keyed(self.session, job, known=self.by_idempotency_key)
        EventRepository(self.session).append(job.id, EventType.JOB_QUEUED, {"queue": job.queue})
        return job

    def get(self, tenant_id: TenantId, job_id: JobId) -> JobRow | None:
        return self.session.scalar(
            select(JobRow).where(JobRow.id == job_id, JobRow.tenant_id == tenant_id)
        )

    def lock(self, tenant_id: TenantId, job_id: JobId) -> JobRow | None:
        """The job as it is now, which no other transaction changes before this one ends."""
        return self.session.scalar(
            select(JobRow)
            .where(JobRow.id == job_id, JobRow.tenant_id == tenant_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )

    def by_idempotency_key(self, tenant_id: TenantId, key: str) -> JobRow | None:
        return self.session.scalar(
            select(JobRow).where(JobRow.tenant_id == tenant_id, JobRow.idempotency_key == key)
        )

    def pilots(self, tenant_id: TenantId, dataset_id: DatasetId) -> Sequence[JobRow]:
        """The pilots on a dataset, newest first."""
        question = select(JobRow).where(
            JobRow.tenant_id == tenant_id,
            JobRow.dataset_id == dataset_id,
            JobRow.purpose == Purpose.PILOT.value,
        )
        return self.session.scalars(question.order_by(JobRow.id.desc())).all()

    def page(
        self,
        tenant_id: TenantId,
        *,
        limit: int,
        after: JobId | None = None,
        state: JobState | None = None,
        dataset_id: DatasetId | None = None,
        metadata: Mapping[str, str] | None = None,
        purpose: Purpose | None = None,
        from_job_id: JobId | None = None,
    ) -> Page[JobRow]:
        """Jobs of a tenant, newest first; `metadata` asks for each pair to be equal."""
        question = select(JobRow).where(JobRow.tenant_id == tenant_id)
        if after is not None:
            question = question.where(JobRow.id < after)
        if state is not None:
            question = question.where(JobRow.state == state)
        if dataset_id is not None:
            question = question.where(JobRow.dataset_id == dataset_id)
        if purpose is not None:
            question = question.where(JobRow.purpose == purpose.value)
        if from_job_id is not None:
            question = question.where(JobRow.from_job_id == from_job_id)
        for key, value in (metadata or {}).items():
            question = question.where(self._metadata_has(key, value))
        return read_page(self.session, question.order_by(JobRow.id.desc()), limit=limit)

    def wake_parked(self, tenant_id: TenantId, teacher_id: TeacherId) -> list[Queue]:
        """Let the parked jobs that name this stored teacher try again now; their queues."""
        # As a text: the teacher is the job's only one, or a member of its ensemble.
        named = cast(JobRow.spec["teacher"], String).contains(teacher_id)
        woken = self.session.scalars(
            update(JobRow)
            .where(
                JobRow.tenant_id == tenant_id,
                JobRow.state == JobState.QUEUED,
                JobRow.parked.is_not(None),
                named,
            )
            .values(run_at=db_now())
            .returning(JobRow.queue)
        )
        return [Queue(queue) for queue in woken]

    def request_cancel(self, tenant_id: TenantId, job_id: JobId) -> JobRow | None:
        """Cancel a queued job at once; ask a running one to stop at its next heartbeat.

        A job that has ended, or was asked before, stays as it is.

        Returns:
            The job as it is now, or None when the tenant has no such job.
        """
        queued = JobRow.state == JobState.QUEUED
        job: JobRow | None = self.session.scalar(
            update(JobRow)
            .where(
                JobRow.id == job_id,
                JobRow.tenant_id == tenant_id,
                JobRow.state.in_(ACTIVE),
                JobRow.cancel_at.is_(None),
            )
            .values(
                cancel_at=db_now(),
                state=case(
                    (queued, literal(JobState.CANCELLED, JobRow.state.type)), else_=JobRow.state
                ),
                finished_at=case((queued, db_now())),
            )
            .returning(JobRow),
            execution_options={"synchronize_session": False, "populate_existing": True},
        )
        if job is None:
            return self.get(tenant_id, job_id)
        cancelled = job.state is JobState.CANCELLED
        event = EventType.JOB_CANCELLED if cancelled else EventType.JOB_CANCEL_REQUESTED
        EventRepository(self.session).append(job.id, event, {"attempt": job.attempt})
        return job

    def has_ready(self, queues: Sequence[Queue]) -> bool:
        """Whether a job of any tenant waits for a slot of these queues."""
        return self.session.scalar(moves.ready_jobs(queues).limit(1)) is not None

    def count_active(self, tenant_id: TenantId) -> int:
        """How many jobs of this tenant are queued or running."""
        return self.session.scalars(
            select(func.count()).where(JobRow.tenant_id == tenant_id, JobRow.state.in_(ACTIVE))
        ).one()

    def is_making(self, tenant_id: TenantId, name: str) -> bool:
        """Whether a queued or running job of this tenant makes a model of this name."""
        found = self.session.scalar(
            select(JobRow.id)
            .where(
                JobRow.tenant_id == tenant_id,
                JobRow.name == name,
                JobRow.state.in_(ACTIVE),
                JobRow.purpose == Purpose.DISTILL.value,
            )
            .limit(1)
        )
        return found is not None

    def uses_dataset(self, dataset_id: DatasetId) -> Sequence[JobId]:
        """The queued and running jobs that read this dataset."""
        return self.session.scalars(
            select(JobRow.id)
            .where(
                JobRow.state.in_(ACTIVE),
                or_(JobRow.dataset_id == dataset_id, JobRow.evaluation_dataset_id == dataset_id),
            )
            .order_by(JobRow.id)
        ).all()

    def reads_model(self, model_id: ModelId) -> Sequence[JobId]:
        """The queued and running jobs that predict with this model."""
        return self.session.scalars(
            select(JobRow.id)
            .where(
                JobRow.state.in_(ACTIVE),
                JobRow.purpose == Purpose.PREDICT.value,
                JobRow.spec["model_id"].as_string() == model_id,
            )
            .order_by(JobRow.id)
        ).all()

    def uses_model(self, model_id: ModelId) -> Sequence[JobId]:
        """The queued and running jobs whose student starts from this model."""
        return self.session.scalars(
            select(JobRow.id)
            .where(JobRow.state.in_(ACTIVE), JobRow.parent_model_id == model_id)
            .order_by(JobRow.id)
        ).all()

    def _metadata_has(self, key: str, value: str) -> ColumnElement[bool]:
        # Not by a JSON path: a quote or a dot in the caller's key must not become syntax.
        if self.session.get_bind().dialect.name == "postgresql":
            return JobRow.labels_metadata.op("@>", is_comparison=True)(
                literal({key: value}, JobRow.labels_metadata.type)
            )
        pairs = func.json_each(JobRow.labels_metadata).table_valued("key", "value")
        return exists(
            select(pairs.c.key).where(pairs.c.key == key, pairs.c.value == value)
        ).correlate(JobRow)
