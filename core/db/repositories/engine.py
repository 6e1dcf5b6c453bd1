"""The statements that move a job: claim, heartbeat, fence, release, finish, reap, spend.

Each is one UPDATE guarded by what must still be true, so that two processes can
never both believe they won. `attempt` is the fencing token: every write of a worker
names it, and a worker whose job was taken over matches no row any more. The guards
themselves stand in `moves`.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, case, null, select, update
from sqlalchemy.orm import Session

from core.db.base import db_now
from core.db.repositories import moves
from core.db.repositories.claims import Claim, GhostWorker, Json, Orders, Reaped
from core.db.repositories.events import EventRepository
from core.db.tables import JobRow
from core.ids import JobId
from core.lifecycle import EventType, JobState, Queue

# What is written here is never what a session remembers: rows are read anew.
FRESH = {"synchronize_session": False, "populate_existing": True}

OUTCOME = (JobRow.id, JobRow.state, JobRow.attempt, JobRow.crashes, JobRow.error)
LEASE_RAN_OUT = "its lease ran out"
EVENTS = {
    JobState.SUCCEEDED: EventType.JOB_SUCCEEDED,
    JobState.FAILED: EventType.JOB_FAILED,
    JobState.CANCELLED: EventType.JOB_CANCELLED,
}


class EngineRepository:
    """The job engine's SQL, on both databases; each method runs in the caller's transaction."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def claim(self, *, queues: Sequence[Queue], worker: str, lease: timedelta) -> JobRow | None:
        """Take the best ready job of these queues, or None.

        Sets started_at and deadline_at on the first claim; counts what was held as spent,
        since a call in flight at a crash may have been billed. Writes `job.started`.
        """
        ready = moves.best_ready(queues)
        job = self.session.scalar(
            update(JobRow)
            .where(JobRow.id == ready.c.id, moves.is_queued())
            .values(
                state=JobState.RUNNING,
                attempt=JobRow.attempt + 1,
                lease_owner=worker,
                lease_until=db_now(lease.total_seconds()),
                started_at=_unless_set(JobRow.started_at, db_now()),
                deadline_at=_unless_set(JobRow.deadline_at, db_now(JobRow.max_wall_seconds)),
                parked=None,
                **moves.held_becomes_spent(),
            )
            .returning(JobRow),
            execution_options=FRESH,
        )
        if job is not None:
            about = {"attempt": job.attempt, "worker": worker}
            self._tell(job.id, EventType.JOB_STARTED, about)
        return job

    def heartbeat(
        self,
        claim: Claim,
        *,
        lease: timedelta,
        progress: int,
        detail: Json,
        checkpoint: Json | None,
    ) -> Orders:
        """Renew the lease and store progress (never backwards) and the newest checkpoint.

        Progress beyond what is stored resets the crash count, and ends a time of parking.

        Raises:
            GhostWorker: the job is no longer this attempt's.
        """
        grew = JobRow.progress < progress
        values: dict[str, Any] = {
            "lease_until": db_now(lease.total_seconds()),
            "crashes": case((grew, 0), else_=JobRow.crashes),
            "progress": case((grew, progress), else_=JobRow.progress),
            "progress_detail": detail,
            "parked_since": case((grew, null()), else_=JobRow.parked_since),
        }
        if checkpoint is not None:
            values["checkpoint"] = checkpoint
        orders = self.session.execute(
            update(JobRow)
            .where(moves.held_by(claim))
            .values(values)
            # The column itself, not `IS NOT NULL`: SQLite 3.40 answers that wrongly here,
            # as if a column that follows a NOT NULL primary key could never be NULL.
            .returning(JobRow.cancel_at, JobRow.deadline_at < db_now()),
            execution_options=FRESH,
        ).one_or_none()
        if orders is None:
            raise GhostWorker(claim)
        return Orders(cancel_requested=orders[0] is not None, deadline_passed=orders[1])

    def fence(self, claim: Claim, *, stage: str) -> None:
        """Lock the job's row for this attempt: the FIRST statement of a worker's transaction.

        Raises:
            GhostWorker: the job is no longer this attempt's; roll back.
        """
        if not self._update_held(claim, {"stage": stage}):
            raise GhostWorker(claim)

    def release(self, claim: Claim, *, delay: timedelta, reason: str) -> None:
        """Give the job back unfinished (drain, park): queued again, no crash counted.

        Writes `job.requeued`. Cancels or fails it instead if that was due. A delay of zero
        keeps the job's place in the queue.

        Raises:
            GhostWorker: the job is no longer this attempt's.
        """
        values = moves.taken_back(crashes=JobRow.crashes, detail=reason)
        if delay:
            values["run_at"] = db_now(delay.total_seconds())
        self._give_back(claim, values, reason=reason)

    def park(self, claim: Claim, *, delay: timedelta, problem: Json) -> JobState:
        """Give the job back until its teacher may be asked again; no crash is counted.

        Writes `job.parked`. Cancels or fails it instead if that was due, or if it has been
        parked for a day without an answer. Returns the state the job is in now.

        Raises:
            GhostWorker: the job is no longer this attempt's.
        """
        values = moves.put_aside(problem, delay=delay)
        code = str(problem["code"])
        return self._give_back(claim, values, reason=code, queued=EventType.JOB_PARKED)

    def crash(self, claim: Claim, *, detail: str) -> JobState:
        """The child died: what the reaper would do, at once instead of after the lease.

        Returns the state the job is in now.

        Raises:
            GhostWorker: the job is no longer this attempt's.
        """
        values = moves.taken_back(crashes=JobRow.crashes + 1, detail=detail)
        return self._give_back(claim, values, reason=detail)

    def finish(
        self,
        claim: Claim,
        *,
        state: JobState,
        result: Json | None = None,
        error: Json | None = None,
    ) -> None:
        """Move to a terminal state and write its event. Safe to repeat after an ambiguous commit.

        Raises:
            GhostWorker: the job is no longer this attempt's.
            ValueError: the state is not terminal.
        """
        if not state.is_terminal:
            raise ValueError(f"a job cannot finish as {state}")
        values = {
            "state": state,
            "result": result,
            "error": error,
            "finished_at": db_now(),
            "lease_owner": None,
            "lease_until": None,
            **moves.held_becomes_spent(),
        }
        if self._update_held(claim, values):
            about = {"attempt": claim.attempt} | ({} if error is None else {"error": error})
            self._tell(claim.job_id, EVENTS[state], about)
        elif not self._is_at(claim, state):
            raise GhostWorker(claim)

    def reap(self, *, limit: int = 100) -> list[Reaped]:
        """Take back the jobs whose lease ran out, deciding again at write time."""
        lost = moves.lost_jobs(limit).cte("lost")
        return self.take_back(select(lost.c.id))

    def take_back(self, candidates: Select[JobId] | Sequence[JobId]) -> list[Reaped]:
        """Requeue, fail or cancel those of the candidates whose lease is over at this moment.

        Whoever looked for candidates looked a moment ago; one that renewed its lease since
        then is alive and stays.
        """
        rows = self.session.execute(
            update(JobRow)
            .where(JobRow.id.in_(candidates), moves.lease_is_over())
            .values(moves.taken_back(crashes=JobRow.crashes + 1, detail=LEASE_RAN_OUT))
            .returning(*OUTCOME),
            execution_options=FRESH,
        ).all()
        for row in rows:
            self._tell_outcome(row, reason=LEASE_RAN_OUT)
        return [Reaped(row.id, row.state, row.crashes) for row in rows]

    def reserve(self, claim: Claim, *, calls: int, micros: int) -> bool:
        """Hold money and calls before spending them; False when the cap would be passed.

        `micros` is the most these calls can cost, so that spent + held stays below the
        cap whatever they cost in the end.

        Raises:
            GhostWorker: the job is no longer this attempt's; do not call.
        """
        values = {
            "held_calls": JobRow.held_calls + calls,
            "held_micros": JobRow.held_micros + micros,
        }
        if self._update_held(claim, values, moves.within_cap(calls=calls, micros=micros)):
            return True
        if not self._is_at(claim, JobState.RUNNING):
            raise GhostWorker(claim)
        return False

    def settle(self, claim: Claim, *, calls: int, held_micros: int, spent_micros: int) -> bool:
        """Turn what was held into what was spent, in the transaction that stores the answers.

        Returns:
            False when the job is no longer this attempt's: what it held was counted as
            spent already, and the answers, being paid, are to be stored all the same.
        """
        return self._update_held(
            claim,
            {
                "held_calls": JobRow.held_calls - calls,
                "spent_calls": JobRow.spent_calls + calls,
                "held_micros": JobRow.held_micros - held_micros,
                "spent_micros": JobRow.spent_micros + spent_micros,
            },
        )

    def spent_micros(self, claim: Claim) -> int:
        """What the job has spent by now, in all its attempts."""
        spent = select(JobRow.spent_micros).where(JobRow.id == claim.job_id)
        return self.session.scalars(spent).one()

    def release_hold(self, claim: Claim, *, calls: int, micros: int) -> bool:
        """Free what was held for calls that were never made; False as in `settle`."""
        return self._update_held(
            claim,
            {
                "held_calls": JobRow.held_calls - calls,
                "held_micros": JobRow.held_micros - micros,
            },
        )

    def _give_back(
        self,
        claim: Claim,
        values: Mapping[str, Any],
        *,
        reason: str,
        queued: EventType = EventType.JOB_REQUEUED,
    ) -> JobState:
        row = self.session.execute(
            update(JobRow).where(moves.held_by(claim)).values(values).returning(*OUTCOME),
            execution_options=FRESH,
        ).one_or_none()
        if row is None:
            raise GhostWorker(claim)
        self._tell_outcome(row, reason=reason, queued=queued)
        state: JobState = row.state
        return state

    def _update_held(
        self, claim: Claim, values: Mapping[str, Any], *further: ColumnElement[bool]
    ) -> bool:
        touched = self.session.scalar(
            update(JobRow)
            .where(moves.held_by(claim), *further)
            .values(values)
            .returning(JobRow.id),
            execution_options=FRESH,
        )
        return touched is not None

    def _is_at(self, claim: Claim, state: JobState) -> bool:
        found = self.session.scalar(
            select(JobRow.id).where(
                JobRow.id == claim.job_id, JobRow.attempt == claim.attempt, JobRow.state == state
            )
        )
        return found is not None

    def _tell_outcome(
        self, row: Row[Any], *, reason: str, queued: EventType = EventType.JOB_REQUEUED
    ) -> None:
        about = {"attempt": row.attempt, "crashes": row.crashes, "reason": reason}
        if row.state is JobState.FAILED:
            about["error"] = row.error
        event = queued if row.state is JobState.QUEUED else EVENTS[row.state]
        self._tell(row.id, event, about)

    def _tell(self, job_id: JobId, event: EventType, about: Json) -> None:
        EventRepository(self.session).append(job_id, event, about)


def _unless_set(column: Any, value: Any) -> ColumnElement[Any]:
    return case((column.is_(None), value), else_=column)


__all__ = ["Claim", "EngineRepository", "GhostWorker", "Orders", "Reaped"]
