"""Giving a job up, ending it, taking it from a silent worker, on both databases."""

from datetime import timedelta
from typing import Any

import pytest

from core.db.base import db_now
from core.db.repositories.engine import Claim, EngineRepository, GhostWorker
from core.db.session import Database
from core.db.tables import JobRow
from core.ids import JobId
from core.lifecycle import MAX_CRASHES, TERMINAL, EventType, JobState
from tests.core.engine.rows import claim, events, expire, given_job, given_running, read_job, shift

NO_DELAY = timedelta(0)


class TestRelease:
    def release(self, database: Database, held: Claim, delay: timedelta = NO_DELAY) -> JobRow:
        with database.write() as session:
            EngineRepository(session).release(held, delay=delay, reason="drain")
        return read_job(database, held.job_id)

    def test_the_job_keeps_its_place_and_no_crash_is_counted(self, database: Database) -> None:
        held = given_running(database, run_at=db_now(-100), crashes=1)
        before = read_job(database, held.job_id)
        job = self.release(database, held)
        assert (job.state, job.attempt, job.crashes) == (JobState.QUEUED, 1, 1)
        assert job.run_at == before.run_at
        assert (job.lease_owner, job.lease_until, job.finished_at) == (None, None, None)
        [event] = events(database, job.id)
        assert event.type == EventType.JOB_REQUEUED
        assert event.data == {"attempt": 1, "crashes": 1, "reason": "drain"}

    def test_a_delay_parks_the_job(self, database: Database) -> None:
        held = given_running(database)
        self.release(database, held, timedelta(minutes=1))
        assert claim(database) is None

    def test_a_cancel_that_was_asked_for_happens_instead(self, database: Database) -> None:
        held = given_running(database, cancel_at=db_now())
        job = self.release(database, held)
        assert job.state is JobState.CANCELLED
        assert job.finished_at is not None
        assert job.error is None
        assert [event.type for event in events(database, job.id)] == [EventType.JOB_CANCELLED]

    def test_a_job_past_its_deadline_fails_instead(self, database: Database) -> None:
        held = given_running(database, deadline_at=db_now(-1))
        job = self.release(database, held)
        assert job.state is JobState.FAILED
        assert job.error is not None
        assert job.error["code"] == "deadline-exceeded"

    def test_a_ghost_cannot_give_back_what_it_lost(self, database: Database) -> None:
        held = given_running(database, attempt=2)
        with pytest.raises(GhostWorker):
            self.release(database, Claim(held.job_id, 1))
        assert read_job(database, held.job_id).state is JobState.RUNNING


SILENT = {"code": "teacher-unavailable", "detail": "Nobody answers.", "status": 503}


class TestPark:
    def park(self, database: Database, held: Claim, *, minutes: float = 10) -> JobRow:
        with database.write() as session:
            delay = timedelta(minutes=minutes)
            EngineRepository(session).park(held, delay=delay, problem=SILENT)
        return read_job(database, held.job_id)

    def test_the_job_waits_and_says_why(self, database: Database) -> None:
        held = given_running(database, crashes=1, held_calls=2, held_micros=9)
        job = self.park(database, held)
        assert (job.state, job.crashes, job.parked) == (JobState.QUEUED, 1, SILENT)
        assert job.parked_since is not None
        assert timedelta(minutes=9) < job.run_at - job.parked_since < timedelta(minutes=11)
        assert (job.spent_calls, job.spent_micros, job.held_micros) == (2, 9, 0)
        assert claim(database) is None
        [event] = events(database, job.id)
        assert event.type == EventType.JOB_PARKED

    def test_it_is_taken_up_again_and_remembers_since_when(self, database: Database) -> None:
        held = given_running(database)
        first = self.park(database, held, minutes=0)
        again = claim(database)
        assert again is not None
        assert again.parked is None
        second = self.park(database, Claim(again.id, again.attempt))
        assert second.parked_since == first.parked_since

    def test_progress_ends_the_wait(self, database: Database) -> None:
        held = given_running(database, parked_since=db_now(-3600), progress=5)
        with database.write() as session:
            EngineRepository(session).heartbeat(
                held, lease=timedelta(seconds=30), progress=6, detail={}, checkpoint=None
            )
        assert read_job(database, held.job_id).parked_since is None

    def test_after_a_day_the_job_fails_with_the_reason(self, database: Database) -> None:
        held = given_running(database, parked_since=db_now(-86_400 - 60), deadline_at=db_now(60))
        job = self.park(database, held)
        assert (job.state, job.error) == (JobState.FAILED, SILENT)
        assert job.finished_at is not None
        assert [event.type for event in events(database, job.id)] == [EventType.JOB_FAILED]

    def test_a_cancel_and_the_deadline_come_first(self, database: Database) -> None:
        old = db_now(-86_400 - 60)
        held = given_running(database, parked_since=old, cancel_at=db_now())
        assert self.park(database, held).state is JobState.CANCELLED
        held = given_running(database, deadline_at=db_now(-1))
        job = self.park(database, held)
        assert job.error is not None
        assert job.error["code"] == "deadline-exceeded"

    def test_a_ghost_parks_nothing(self, database: Database) -> None:
        held = given_running(database, attempt=2)
        with pytest.raises(GhostWorker):
            self.park(database, Claim(held.job_id, 1))


class TestCrash:
    def crash(self, database: Database, held: Claim) -> JobState:
        with database.write() as session:
            return EngineRepository(session).crash(held, detail="the child was killed (-9)")

    def test_the_job_is_queued_again_at_once(self, database: Database) -> None:
        held = given_running(database)
        assert self.crash(database, held) is JobState.QUEUED
        job = read_job(database, held.job_id)
        assert job.crashes == 1
        [event] = events(database, job.id)
        assert event.data["reason"] == "the child was killed (-9)"

    def test_the_last_of_too_many_fails_the_job(self, database: Database) -> None:
        held = given_running(database, crashes=MAX_CRASHES - 1)
        assert self.crash(database, held) is JobState.FAILED
        job = read_job(database, held.job_id)
        assert job.error is not None
        assert job.error["code"] == "worker-lost"
        assert "the child was killed (-9)" in job.error["detail"]

    def test_a_ghosts_crash_is_not_counted(self, database: Database) -> None:
        held = given_running(database, attempt=2)
        with pytest.raises(GhostWorker):
            self.crash(database, Claim(held.job_id, 1))
        assert read_job(database, held.job_id).crashes == 0


class TestFinish:
    def finish(self, database: Database, held: Claim, state: JobState, **given: Any) -> JobRow:
        with database.write() as session:
            EngineRepository(session).finish(held, state=state, **given)
        return read_job(database, held.job_id)

    def test_a_result_is_stored_with_the_end(self, database: Database) -> None:
        held = given_running(database, held_calls=1, held_micros=5)
        result = {"model_id": "model_1"}
        job = self.finish(database, held, JobState.SUCCEEDED, result=result)
        assert (job.state, job.result, job.error) == (JobState.SUCCEEDED, result, None)
        assert job.finished_at is not None
        assert job.lease_until is None
        assert (job.spent_calls, job.held_calls) == (1, 0)
        [event] = events(database, job.id)
        assert event.type == EventType.JOB_SUCCEEDED

    def test_an_error_is_stored_and_told(self, database: Database) -> None:
        held = given_running(database)
        error = {"code": "training-diverged", "detail": "the loss is NaN at step 12"}
        job = self.finish(database, held, JobState.FAILED, error=error)
        assert (job.state, job.error, job.result) == (JobState.FAILED, error, None)
        [event] = events(database, job.id)
        assert event.type == EventType.JOB_FAILED
        assert event.data["error"] == error

    @pytest.mark.parametrize("state", sorted(TERMINAL))
    def test_a_repeated_finish_is_a_success_told_once(
        self, database: Database, state: JobState
    ) -> None:
        held = given_running(database)
        first = self.finish(database, held, state)
        again = self.finish(database, held, state)
        assert again.finished_at == first.finished_at
        assert len(events(database, held.job_id)) == 1

    def test_terminal_is_for_ever(self, database: Database) -> None:
        held = given_running(database)
        self.finish(database, held, JobState.CANCELLED)
        with pytest.raises(GhostWorker):
            self.finish(database, held, JobState.SUCCEEDED)
        assert read_job(database, held.job_id).state is JobState.CANCELLED

    def test_an_older_attempt_cannot_finish(self, database: Database) -> None:
        held = given_running(database, attempt=2)
        with pytest.raises(GhostWorker):
            self.finish(database, Claim(held.job_id, 1), JobState.SUCCEEDED)
        self.finish(database, held, JobState.SUCCEEDED)
        with pytest.raises(GhostWorker):
            self.finish(database, Claim(held.job_id, 1), JobState.SUCCEEDED)

    def test_only_an_end_finishes_a_job(self, database: Database) -> None:
        held = given_running(database)
        with pytest.raises(ValueError, match="queued"):
            self.finish(database, held, JobState.QUEUED)


class TestReap:
    def reap(self, database: Database, limit: int = 100) -> dict[JobId, tuple[JobState, int]]:
        with database.write() as session:
            reaped = EngineRepository(session).reap(limit=limit)
        return {one.job_id: (one.state, one.crashes) for one in reaped}

    def test_only_jobs_whose_lease_is_over_are_taken_back(self, database: Database) -> None:
        given_running(database)
        given_job(database)
        given_job(database, state=JobState.SUCCEEDED)
        lost = given_running(database, run_at=db_now(-100))
        before = read_job(database, lost.job_id)
        expire(database, lost.job_id)
        assert self.reap(database) == {lost.job_id: (JobState.QUEUED, 1)}
        job = read_job(database, lost.job_id)
        assert (job.run_at, job.attempt) == (before.run_at, 1)
        assert (job.lease_owner, job.lease_until, job.error) == (None, None, None)
        [event] = events(database, job.id)
        assert event.type == EventType.JOB_REQUEUED

    def test_a_cancel_that_was_asked_for_ends_the_job(self, database: Database) -> None:
        lost = given_running(database, cancel_at=db_now(), crashes=MAX_CRASHES - 1)
        expire(database, lost.job_id)
        assert self.reap(database) == {lost.job_id: (JobState.CANCELLED, MAX_CRASHES)}
        assert read_job(database, lost.job_id).error is None

    def test_a_job_past_its_deadline_fails(self, database: Database) -> None:
        lost = given_running(database, deadline_at=db_now(-5))
        expire(database, lost.job_id)
        assert self.reap(database) == {lost.job_id: (JobState.FAILED, 1)}
        error = read_job(database, lost.job_id).error
        assert error is not None
        assert error["code"] == "deadline-exceeded"

    def test_a_poison_job_fails_after_three_lost_workers(self, database: Database) -> None:
        job = given_job(database)
        for crashes in range(1, MAX_CRASHES):
            assert claim(database, lease=timedelta(seconds=-1)) is not None
            assert self.reap(database) == {job.id: (JobState.QUEUED, crashes)}
        claim(database, lease=timedelta(seconds=-1))
        assert self.reap(database) == {job.id: (JobState.FAILED, MAX_CRASHES)}
        error = read_job(database, job.id).error
        assert error is not None
        assert error["code"] == "worker-lost"
        told = [event.type for event in events(database, job.id)]
        assert told == ["job.started", "job.requeued"] * 2 + ["job.started", "job.failed"]
        assert claim(database) is None

    def test_a_sweep_is_bounded_and_takes_the_longest_lost_first(self, database: Database) -> None:
        lost = [given_running(database) for _ in range(3)]
        for age, one in enumerate(lost, start=1):
            shift(database, one.job_id, lease_until=-age)
        assert set(self.reap(database, limit=2)) == {lost[1].job_id, lost[2].job_id}
        assert set(self.reap(database, limit=2)) == {lost[0].job_id}
