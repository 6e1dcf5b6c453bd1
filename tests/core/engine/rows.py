"""Putting a job into a situation, and looking at what became of it."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from core.db.base import db_now
from core.db.repositories.engine import Claim, EngineRepository
from core.db.session import Database
from core.db.tables import JobEventRow, JobRow
from core.ids import JobId
from core.lifecycle import JobState, Queue
from tests.factories import LEASE, make_job


def given_job(database: Database, **given: Any) -> JobRow:
    with database.write() as session:
        return make_job(session, **given)


def given_running(database: Database, **given: Any) -> Claim:
    job = given_job(database, state=JobState.RUNNING, **given)
    return Claim(job.id, job.attempt)


def read_job(database: Database, job_id: JobId) -> JobRow:
    with database.read() as session:
        return session.scalars(select(JobRow).where(JobRow.id == job_id)).one()


def events(database: Database, job_id: JobId) -> list[JobEventRow]:
    with database.read() as session:
        question = select(JobEventRow).where(JobEventRow.job_id == job_id)
        return list(session.scalars(question.order_by(JobEventRow.seq)))


def claim(database: Database, *queues: Queue, lease: timedelta = LEASE) -> JobRow | None:
    with database.write() as session:
        engine = EngineRepository(session)
        return engine.claim(queues=queues or (Queue.ANY,), worker="worker-1:cpu", lease=lease)


def expire(database: Database, job_id: JobId) -> None:
    shift(database, job_id, lease_until=-1)


def shift(database: Database, job_id: JobId, **seconds: float) -> None:
    """Move instants of the row to so many seconds from the database's now."""
    values = {column: db_now(offset) for column, offset in seconds.items()}
    with database.write() as session:
        session.execute(update(JobRow).where(JobRow.id == job_id).values(values))
