"""What must still be true for a job to move, and what it becomes.

The guards stand here once, and every statement of the engine is built from them:
a guard that is forgotten in one place is how two workers come to hold one job.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    SQLColumnExpression,
    and_,
    case,
    literal,
    null,
    or_,
    select,
)

from core.db.base import db_now
from core.db.repositories.claims import Claim, Json
from core.db.tables import JobRow
from core.ids import JobId
from core.lifecycle import LONGEST_PARK, MAX_CRASHES, JobState, Queue


def held_by(claim: Claim) -> ColumnElement[bool]:
    """The fence: the job is running, and under this very attempt."""
    return and_(
        JobRow.id == claim.job_id,
        JobRow.attempt == claim.attempt,
        JobRow.state == JobState.RUNNING,
    )


def is_queued() -> ColumnElement[bool]:
    return JobRow.state == JobState.QUEUED


def lease_is_over() -> ColumnElement[bool]:
    return and_(JobRow.state == JobState.RUNNING, JobRow.lease_until < db_now())


def ready_jobs(queues: Sequence[Queue]) -> Select[JobId]:
    """The ids of jobs that wait for a slot of these queues."""
    return select(JobRow.id).where(
        is_queued(), JobRow.queue.in_(list(queues)), JobRow.run_at <= db_now()
    )


def best_ready(queues: Sequence[Queue]) -> CTE:
    """The id of the job to claim next; on PostgreSQL, rows another claimer looks at are skipped."""
    return (
        ready_jobs(queues)
        .order_by(JobRow.priority.desc(), JobRow.run_at, JobRow.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .cte("ready")
    )


def lost_jobs(limit: int) -> Select[JobId]:
    """The ids of jobs whose lease ran out, the longest lost first."""
    return (
        select(JobRow.id)
        .where(lease_is_over())
        .order_by(JobRow.lease_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def within_cap(*, calls: int, micros: int) -> ColumnElement[bool]:
    """Whether both caps leave room for this much more; a cap of NULL always does."""
    return and_(
        or_(
            JobRow.cap_calls.is_(None),
            JobRow.spent_calls + JobRow.held_calls + calls <= JobRow.cap_calls,
        ),
        or_(
            JobRow.cap_micros.is_(None),
            JobRow.spent_micros + JobRow.held_micros + micros <= JobRow.cap_micros,
        ),
    )


def held_becomes_spent() -> dict[str, Any]:
    """A call in flight when its worker is gone may have been billed: it counts as spent."""
    return {
        "spent_micros": JobRow.spent_micros + JobRow.held_micros,
        "held_micros": 0,
        "spent_calls": JobRow.spent_calls + JobRow.held_calls,
        "held_calls": 0,
    }


def taken_back(*, crashes: SQLColumnExpression[int], detail: str) -> dict[str, Any]:
    """The values of a job without its worker: cancelled, failed or queued again.

    A cancel that was asked for comes first, then the deadline, then poison: a job that
    lost `MAX_CRASHES` workers without progress. `run_at` stays, and with it the job's
    place in the queue.
    """
    cancelled = JobRow.cancel_at.is_not(None)
    late = JobRow.deadline_at < db_now()
    poisonous = crashes >= MAX_CRASHES
    return {
        "state": case(
            (cancelled, _state(JobState.CANCELLED)),
            (or_(late, poisonous), _state(JobState.FAILED)),
            else_=_state(JobState.QUEUED),
        ),
        "error": case(
            (cancelled, null()),
            (late, literal(_DEADLINE_EXCEEDED, JobRow.error.type)),
            (poisonous, literal(worker_lost(detail), JobRow.error.type)),
        ),
        "finished_at": case((or_(cancelled, late, poisonous), db_now())),
        "crashes": crashes,
        "lease_owner": None,
        "lease_until": None,
        **held_becomes_spent(),
    }


def put_aside(problem: Json, *, delay: timedelta) -> dict[str, Any]:
    """The values of a job whose teacher cannot be asked: queued for later, or, after a day of
    that, failed with the problem. A cancel and the deadline come first, as in `taken_back`."""
    values = taken_back(crashes=JobRow.crashes, detail=str(problem["code"]))
    gives_up = and_(
        JobRow.cancel_at.is_(None), JobRow.parked_since < db_now(-LONGEST_PARK.total_seconds())
    )
    return values | {
        "state": case((gives_up, _state(JobState.FAILED)), else_=values["state"]),
        "error": case((gives_up, literal(problem, JobRow.error.type)), else_=values["error"]),
        "finished_at": case((gives_up, db_now()), else_=values["finished_at"]),
        "run_at": db_now(delay.total_seconds()),
        "parked": problem,
        "parked_since": case((JobRow.parked_since.is_(None), db_now()), else_=JobRow.parked_since),
    }


def worker_lost(detail: str) -> Json:
    """The problem document of a job that its workers do not survive."""
    return {
        "type": "/problems/worker-lost",
        "title": "The job lost its worker",
        "status": 500,
        "detail": f"The job lost its worker {MAX_CRASHES} times without progress: {detail}",
        "code": "worker-lost",
    }


_DEADLINE_EXCEEDED: Json = {
    "type": "/problems/deadline-exceeded",
    "title": "The job ran out of time",
    "status": 500,
    "detail": "The job passed its max_wall_seconds while no worker could end it in time.",
    "code": "deadline-exceeded",
}


def _state(state: JobState) -> ColumnElement[JobState]:
    return literal(state, JobRow.state.type)
