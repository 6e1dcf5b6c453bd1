"""Taking a job and holding it, on both databases."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from core.db.base import db_now
from core.db.repositories.engine import Claim, EngineRepository, GhostWorker, Orders
from core.db.session import Database
from core.lifecycle import TERMINAL, EventType, JobState, Queue
from tests.core.engine.rows import claim, events, expire, given_job, given_running, read_job, shift
from tests.factories import LEASE


class TestClaim:
    def test_a_queued_job_becomes_running_under_a_new_attempt(self, database: Database) -> None:
        job = given_job(database, max_wall_seconds=600)
        claimed = claim(database)
        assert claimed is not None
        assert (claimed.id, claimed.state, claimed.attempt) == (job.id, JobState.RUNNING, 1)
        assert claimed.lease_owner == "worker-1:cpu"
        assert claimed.lease_until is not None
        assert claimed.started_at is not None
        assert claimed.deadline_at is not None
        lease = claimed.lease_until - claimed.started_at
        assert abs(lease - LEASE) < timedelta(milliseconds=5)
        wall = claimed.deadline_at - claimed.started_at
        assert abs(wall - timedelta(seconds=600)) < timedelta(milliseconds=5)
        assert read_job(database, job.id).state is JobState.RUNNING
        [event] = events(database, job.id)
        assert event.type == EventType.JOB_STARTED
        assert event.data == {"attempt": 1, "worker": "worker-1:cpu"}

    def test_a_second_claim_keeps_start_and_deadline(self, database: Database) -> None:
        job = given_job(
            database, attempt=1, started_at=db_now(-50), deadline_at=db_now(70), crashes=2
        )
        claimed = claim(database)
        assert claimed is not None
        assert claimed.attempt == 2
        assert claimed.crashes == 2
        assert (claimed.started_at, claimed.deadline_at) == (job.started_at, job.deadline_at)

    def test_what_was_held_counts_as_spent(self, database: Database) -> None:
        given_job(database, held_calls=2, spent_calls=3, held_micros=20, spent_micros=30)
        claimed = claim(database)
        assert claimed is not None
        assert (claimed.spent_calls, claimed.held_calls) == (5, 0)
        assert (claimed.spent_micros, claimed.held_micros) == (50, 0)

    def test_priority_comes_first_then_waiting_time_then_id(self, database: Database) -> None:
        late = given_job(database, run_at=db_now(-10))
        early = given_job(database, run_at=db_now(-20))
        urgent = given_job(database, priority=5)
        order = [claim(database) for _ in range(4)]
        assert [job.id if job else None for job in order] == [urgent.id, early.id, late.id, None]

    def test_only_the_named_queues_are_looked_at(self, database: Database) -> None:
        gpu = given_job(database, queue=Queue.GPU)
        cpu = given_job(database, queue=Queue.CPU)
        assert claim(database, Queue.ANY) is None
        first = claim(database, Queue.ANY, Queue.CPU)
        assert first is not None
        assert first.id == cpu.id
        second = claim(database, Queue.GPU, Queue.CPU)
        assert second is not None
        assert second.id == gpu.id

    def test_a_job_is_not_claimed_before_its_time(self, database: Database) -> None:
        given_job(database, run_at=db_now(60))
        assert claim(database) is None

    @pytest.mark.parametrize("state", sorted(TERMINAL | {JobState.RUNNING}))
    def test_a_job_that_is_not_queued_is_never_claimed(
        self, database: Database, state: JobState
    ) -> None:
        given_job(database, state=state)
        assert claim(database) is None


class TestHeartbeat:
    def beat(self, database: Database, held: Claim, **given: Any) -> Orders:
        values: dict[str, Any] = {"lease": LEASE, "progress": 1, "detail": {}, "checkpoint": None}
        with database.write() as session:
            return EngineRepository(session).heartbeat(held, **values | given)

    def test_the_lease_is_renewed_by_the_databases_clock(self, database: Database) -> None:
        held = given_running(database)
        expire(database, held.job_id)
        self.beat(database, held)
        with database.write() as session:
            assert EngineRepository(session).reap() == []
        lease = read_job(database, held.job_id).lease_until
        with database.read() as session:
            now = session.scalars(select(db_now())).one()
        assert lease is not None
        assert timedelta(0) <= LEASE - (lease - now) < timedelta(seconds=5)

    def test_progress_never_goes_back(self, database: Database) -> None:
        held = given_running(database, progress=10)
        self.beat(database, held, progress=4, detail={"step": 4})
        job = read_job(database, held.job_id)
        assert job.progress == 10
        assert job.progress_detail == {"step": 4}

    def test_more_progress_forgives_crashes(self, database: Database) -> None:
        held = given_running(database, progress=10, crashes=2)
        self.beat(database, held, progress=10)
        assert read_job(database, held.job_id).crashes == 2
        self.beat(database, held, progress=11)
        assert read_job(database, held.job_id).crashes == 0

    def test_a_beat_without_a_checkpoint_keeps_the_last_one(self, database: Database) -> None:
        held = given_running(database)
        newest = {"uri": "step-7", "sha256": "ab", "step": 7}
        self.beat(database, held, checkpoint=newest)
        self.beat(database, held, checkpoint=None)
        assert read_job(database, held.job_id).checkpoint == newest

    def test_it_brings_back_what_to_do(self, database: Database) -> None:
        held = given_running(database)
        assert self.beat(database, held) == Orders(cancel_requested=False, deadline_passed=False)
        shift(database, held.job_id, cancel_at=0)
        assert self.beat(database, held) == Orders(cancel_requested=True, deadline_passed=False)
        shift(database, held.job_id, deadline_at=-1)
        assert self.beat(database, held) == Orders(cancel_requested=True, deadline_passed=True)

    def test_a_ghost_is_told_so(self, database: Database) -> None:
        held = given_running(database, attempt=2)
        with pytest.raises(GhostWorker, match="attempt 1 no longer holds"):
            self.beat(database, Claim(held.job_id, 1))
        assert read_job(database, held.job_id).progress == 0


class TestFence:
    def test_the_holder_passes_and_the_stage_is_known(self, database: Database) -> None:
        held = given_running(database)
        with database.write() as session:
            EngineRepository(session).fence(held, stage="train")
        assert read_job(database, held.job_id).stage == "train"

    def test_an_older_attempt_does_not_pass(self, database: Database) -> None:
        held = given_running(database, attempt=2)
        with pytest.raises(GhostWorker), database.write() as session:
            EngineRepository(session).fence(Claim(held.job_id, 1), stage="train")

    @pytest.mark.parametrize("state", sorted(TERMINAL | {JobState.QUEUED}))
    def test_nobody_passes_once_the_job_does_not_run(
        self, database: Database, state: JobState
    ) -> None:
        job = given_job(database, state=state, attempt=1)
        with pytest.raises(GhostWorker), database.write() as session:
            EngineRepository(session).fence(Claim(job.id, 1), stage="train")
