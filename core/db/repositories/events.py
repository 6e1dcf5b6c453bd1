"""What happened to a job, told in order."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from core.db.tables import JobEventRow, JobRow
from core.ids import JobId
from core.lifecycle import EventType


class EventRepository:
    """A job's events; whoever appends holds the job's row, so that `seq` is the order of commits.

    Without the row lock an event could become visible after a later one, and a reader
    that remembers the last `seq` it saw would never see it.
    """

    def __init__(self, session: Session) -> None:
        self.session = session

    def append(self, job_id: JobId, event: EventType, data: dict[str, Any]) -> None:
        """Add one event, in the transaction that locked the job's row (fence, or any move)."""
        self.session.execute(insert(JobEventRow).values(job_id=job_id, type=event.value, data=data))

    def page(self, job_id: JobId, *, after_seq: int = 0, limit: int) -> Sequence[JobEventRow]:
        """The next events after `after_seq`, oldest first; ask for the job itself beforehand."""
        return self.session.scalars(
            select(JobEventRow)
            .where(JobEventRow.job_id == job_id, JobEventRow.seq > after_seq)
            .order_by(JobEventRow.seq)
            .limit(limit)
        ).all()

    def latest(self, job_id: JobId, event: EventType) -> JobEventRow | None:
        """The last event of this type; ask for the job itself beforehand."""
        return self.session.scalar(
            select(JobEventRow)
            .where(JobEventRow.job_id == job_id, JobEventRow.type == event.value)
            .order_by(JobEventRow.seq.desc())
            .limit(1)
        )

    def latest_of_jobs(
        self, job_ids: Sequence[JobId], event: EventType
    ) -> Mapping[JobId, JobEventRow]:
        """`latest` for a page of jobs, in one question; without the jobs that have none."""
        # Of each job backwards along its index: a long one's events are not all read.
        newest = (
            select(func.max(JobEventRow.seq))
            .where(JobEventRow.job_id == JobRow.id, JobEventRow.type == event.value)
            .correlate(JobRow)
            .scalar_subquery()
        )
        wanted = select(newest).where(JobRow.id.in_(job_ids))
        rows = self.session.scalars(select(JobEventRow).where(JobEventRow.seq.in_(wanted)))
        return {row.job_id: row for row in rows}
