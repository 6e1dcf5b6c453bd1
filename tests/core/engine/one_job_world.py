"""One job and the processes around it, for the explorer: the real statements, and the promises.

The workers are worse than ours: one that learned it is a ghost goes on trying to write.
The reaper's look and its taking are separate steps, since under PostgreSQL's READ COMMITTED
a row may change between the two halves of the one statement.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from core.db.base import SQLITE_NOW_MS
from core.db.repositories import moves
from core.db.repositories.engine import Claim, EngineRepository, GhostWorker
from core.db.repositories.jobs import JobRepository
from core.db.repositories.stages import StageRepository
from core.db.tables import JobRow
from core.ids import JobId
from core.lifecycle import JobState, Queue, Stage
from tests.factories import TENANT

# So long that no lease ends by itself while the walk runs; `expire` ends it.
LEASE = timedelta(hours=10)
PRICE = 7

SNAPSHOT = f"""
SELECT state, attempt, crashes, progress, stage, cancel_at IS NOT NULL AS cancelling,
  CASE WHEN lease_until IS NULL THEN 'none' WHEN lease_until < {SQLITE_NOW_MS} THEN 'over'
       ELSE 'live' END AS lease,
  CASE WHEN deadline_at IS NULL THEN 'none' WHEN deadline_at < {SQLITE_NOW_MS} THEN 'over'
       ELSE 'ahead' END AS deadline,
  spent_calls, held_calls, spent_micros, held_micros, cap_calls, cap_micros, result, error,
  (SELECT group_concat(stage || attempt) FROM job_stages) AS stages,
  (SELECT count(*) FROM job_events WHERE type = 'job.started') AS starts,
  (SELECT count(*) FROM job_events
    WHERE type IN ('job.succeeded', 'job.failed', 'job.cancelled')) AS ends
FROM jobs
"""


@dataclass(frozen=True)
class Snapshot:
    """The job as the database has it, instants reduced to what the statements ask of them."""

    state: str
    attempt: int
    crashes: int
    progress: int
    stage: str | None
    cancelling: int
    lease: str
    deadline: str
    spent_calls: int
    held_calls: int
    spent_micros: int
    held_micros: int
    cap_calls: int | None
    cap_micros: int | None
    result: str | None
    error: str | None
    stages: str | None
    starts: int
    ends: int

    def is_held_by(self, claim: Claim) -> bool:
        return self.state == JobState.RUNNING and self.attempt == claim.attempt

    @property
    def is_terminal(self) -> bool:
        return JobState(self.state).is_terminal


@dataclass(frozen=True)
class Memory:
    """What one process knows.

    Attributes:
        claim: of a worker, once it has one.
        found: the reaper's candidates.
        reserved: calls the worker may make and has not settled.
    """

    claim: Claim | None = None
    found: tuple[JobId, ...] = ()
    reserved: int = 0


@dataclass(frozen=True)
class History:
    """What really happened, counted outside the database.

    Attributes:
        calls: teacher calls that may have been billed: every one that was reserved.
        lost: how many leases ran out.
    """

    calls: int = 0
    lost: int = 0


class OneJobWorld:
    """One queued job on SQLite, in one never-ending transaction."""

    def __init__(self, session: Session, job: JobRow, processes: list[str]) -> None:
        self.session = session
        # The driver's own connection: savepoints and snapshots need no more.
        driver = session.connection().connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        self.sqlite = driver
        self.engine = EngineRepository(session)
        self.job_id = job.id
        self.memories = {process: Memory() for process in processes}
        self.history = History()
        self.depth = 0
        self.now = self._snapshot()

    def situation(self) -> tuple[Any, ...]:
        return self.now, tuple(self.memories.values()), self.history

    def can(self, process: str, step: str) -> bool:
        memory = self.memories[process]
        match step:
            case "expire":
                return self.now.lease == "live"
            case "run_late":
                return self.now.deadline == "ahead" and not self.now.is_terminal
            case "cancel" | "look" | "claim":
                return True
            case "take":
                return bool(memory.found)
            case "settle":
                return memory.reserved > 0
            case _:
                return memory.claim is not None

    @contextmanager
    def undone(self) -> Iterator[None]:
        kept = dict(self.memories), self.history, self.now
        name = f"step_{self.depth}"
        self.depth += 1
        self.sqlite.execute(f"SAVEPOINT {name}")
        try:
            yield
        finally:
            self.sqlite.execute(f"ROLLBACK TO {name}")
            self.sqlite.execute(f"RELEASE {name}")
            self.depth -= 1
            self.memories, self.history, self.now = kept

    def do(self, process: str, step: str) -> bool:
        before, memory = self.now, self.memories[process]
        try:
            self.memories[process] = self._act(process, step, memory)
        except GhostWorker:
            self.sqlite.execute(f"ROLLBACK TO step_{self.depth - 1}")
        self.session.expunge_all()
        self.now = self._snapshot()
        self._check(step, before, memory)
        return step not in {"claim", "look"} or self.memories[process] != memory

    def _act(self, process: str, step: str, memory: Memory) -> Memory:
        match step:
            case "expire":
                self._shift("lease_until")
                self.history = replace(self.history, lost=self.history.lost + 1)
            case "run_late":
                self._shift("deadline_at")
            case "cancel":
                JobRepository(self.session).request_cancel(TENANT, self.job_id)
            case "look":
                return replace(memory, found=tuple(self.session.scalars(moves.lost_jobs(10))))
            case "take":
                self.engine.take_back(memory.found)
            case "claim":
                return self._claim(process, memory)
            case _:
                assert memory.claim is not None
                return self._work(step, memory, memory.claim)
        return memory

    def _claim(self, process: str, memory: Memory) -> Memory:
        job = self.engine.claim(queues=[Queue.ANY], worker=f"{process}:cpu", lease=LEASE)
        if job is None:
            return memory
        return replace(memory, claim=Claim(job.id, job.attempt))

    def _work(self, step: str, memory: Memory, claim: Claim) -> Memory:
        match step:
            case "beat":
                self.engine.heartbeat(claim, lease=LEASE, progress=1, detail={}, checkpoint=None)
            case "write":
                StageRepository(self.session).done(
                    claim, Stage.LABEL, output={}, started_at=datetime.now(UTC)
                )
            case "reserve":
                if self.engine.reserve(claim, calls=1, micros=PRICE):
                    self.history = replace(self.history, calls=self.history.calls + 1)
                    return replace(memory, reserved=memory.reserved + 1)
            case "settle":
                self.engine.settle(claim, calls=1, held_micros=PRICE, spent_micros=PRICE)
                return replace(memory, reserved=memory.reserved - 1)
            case "release":
                self.engine.release(claim, delay=timedelta(0), reason="drain")
            case "crash":
                self.engine.crash(claim, detail="exit -9")
            case "finish":
                result = {"attempt": claim.attempt}
                self.engine.finish(claim, state=JobState.SUCCEEDED, result=result)
            case _:
                raise ValueError(step)
        return memory

    def _check(self, step: str, before: Snapshot, memory: Memory) -> None:
        after = self.now
        match step:
            case "claim":
                _check_claim(before, after)
            case "take":
                _check_take(before, after)
            case "beat" | "write" | "reserve" | "settle" | "release" | "crash" | "finish":
                assert memory.claim is not None
                if after != before:
                    assert before.is_held_by(memory.claim), f"a ghost's {step} was accepted"
        if step not in {"take", "crash"}:
            assert after.crashes <= before.crashes, f"{step} counted a crash"
        _check_always(before, after, self.history)

    def _shift(self, column: str) -> None:
        moved = f"UPDATE jobs SET {column} = {SQLITE_NOW_MS} - 1000"
        self.sqlite.execute(moved)

    def _snapshot(self) -> Snapshot:
        return Snapshot(*self.sqlite.execute(SNAPSHOT).fetchone())


def _check_always(before: Snapshot, after: Snapshot, history: History) -> None:
    if before.is_terminal:
        assert after == before, f"a job that had {before.state} became {after.state}"
    assert after.attempt >= before.attempt, "the attempt went back"
    assert after.starts == after.attempt, "an attempt was not told, or told twice"
    assert after.ends == int(after.is_terminal), "the end was not told once"
    spent, held = after.spent_calls, after.held_calls
    assert held >= 0, "more was settled than was held"
    assert spent + held == history.calls, f"{history.calls} calls, {spent} spent, {held} held"
    assert after.spent_micros + after.held_micros == PRICE * history.calls, "money was lost"
    if after.cap_calls is not None:
        assert history.calls <= after.cap_calls, "the cap was passed"
    if after.result is not None:
        of = json.loads(after.result)["attempt"]
        assert of == after.attempt, "an older attempt's result stands"


def _check_claim(before: Snapshot, after: Snapshot) -> None:
    if after == before:
        return
    assert before.state == JobState.QUEUED, f"a {before.state} job was claimed"
    assert after.attempt == before.attempt + 1, "a claim without a new attempt"


def _check_take(before: Snapshot, after: Snapshot) -> None:
    if after == before:
        return
    assert before.state == JobState.RUNNING, f"a {before.state} job was reaped"
    assert before.lease == "over", "a living worker lost its job"
    assert after.crashes == before.crashes + 1, "a lost lease was not counted once"
    if before.cancelling:
        assert after.state == JobState.CANCELLED, "a cancelled job was queued again"
