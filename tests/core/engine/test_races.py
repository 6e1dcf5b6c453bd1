"""What happens when many do the same thing at once, with real threads and connections."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Barrier
from typing import Any, TypeVar

import pytest
from sqlalchemy import event, select, text, true

from core.db.base import db_now
from core.db.repositories import moves
from core.db.repositories.claims import ShardClaim, Share
from core.db.repositories.engine import Claim, EngineRepository, GhostWorker, Reaped
from core.db.repositories.inserts import IdempotencyKeyTaken
from core.db.repositories.jobs import JobRepository
from core.db.repositories.shards import ShardRepository
from core.db.session import Database
from core.db.tables import JobEventRow, JobRow
from core.ids import JobId, new_job_id
from core.lifecycle import JobState, Queue, Stage
from tests.factories import LEASE, TENANT, make_dataset, make_job

Answer = TypeVar("Answer")


def at_once(act: Callable[[], Answer], *, times: int) -> list[Answer]:
    """Run `act` in so many threads that start together."""
    gate = Barrier(times)

    def _act() -> Answer:
        gate.wait(timeout=30)
        return act()

    with ThreadPoolExecutor(times) as threads:
        started = [threads.submit(_act) for _ in range(times)]
        return [one.result(timeout=60) for one in started]


def running(database: Database, **given: Any) -> Claim:
    with database.write() as session:
        job = make_job(session, state=JobState.RUNNING, **given)
    return Claim(job.id, job.attempt)


def claim(database: Database) -> JobId | None:
    with database.write() as session:
        job = EngineRepository(session).claim(queues=[Queue.ANY], worker="w", lease=LEASE)
        return None if job is None else job.id


def reap(database: Database) -> list[Reaped]:
    with database.write() as session:
        return EngineRepository(session).reap()


class TestClaimersAtOnce:
    def test_one_job_has_one_winner(self, database: Database) -> None:
        with database.write() as session:
            job = make_job(session)
        winners = [won for won in at_once(lambda: claim(database), times=16) if won]
        assert winners == [job.id]
        with database.read() as session:
            assert session.scalars(select(JobRow.attempt)).one() == 1

    def test_each_of_many_jobs_is_claimed_once(self, database: Database) -> None:
        with database.write() as session:
            jobs = {make_job(session).id for _ in range(12)}

        def claim_all() -> list[JobId]:
            won: list[JobId] = []
            # Another claimer's lock hides a job for a moment: only patience sees all.
            idle_since = time.monotonic()
            while time.monotonic() - idle_since < 0.5:
                if (job_id := claim(database)) is not None:
                    won.append(job_id)
                    idle_since = time.monotonic()
            return won

        claimed = [job_id for won in at_once(claim_all, times=8) for job_id in won]
        assert len(claimed) == len(jobs)
        assert set(claimed) == jobs


class TestReapersAtOnce:
    def test_a_lost_lease_is_counted_once(self, database: Database) -> None:
        with database.write() as session:
            lost = [
                make_job(session, state=JobState.RUNNING, lease_until=db_now(-1)).id
                for _ in range(10)
            ]
        reaped = [one for some in at_once(lambda: reap(database), times=6) for one in some]
        assert sorted(one.job_id for one in reaped) == sorted(lost)
        with database.read() as session:
            assert set(session.scalars(select(JobRow.crashes))) == {1}
            assert len(session.scalars(select(JobEventRow)).all()) == len(lost)


class TestSpendersAtOnce:
    def test_64_callers_never_pass_a_cap_of_10(self, database: Database) -> None:
        held = running(database, cap_calls=10, cap_micros=70)
        seen: list[int] = []

        def call_the_teacher() -> bool:
            with database.write() as session:
                if not EngineRepository(session).reserve(held, calls=1, micros=7):
                    return False
            with database.read() as session:
                job = session.scalars(select(JobRow)).one()
                seen.append(job.spent_micros + job.held_micros)
            with database.write() as session:
                assert EngineRepository(session).settle(
                    held, calls=1, held_micros=7, spent_micros=7
                )
            return True

        granted = at_once(call_the_teacher, times=64)
        assert sum(granted) == 10
        assert max(seen) <= 70
        with database.read() as session:
            job = session.scalars(select(JobRow)).one()
        assert (job.spent_calls, job.held_calls) == (10, 0)
        assert (job.spent_micros, job.held_micros) == (70, 0)


class TestTheSameKeyAtOnce:
    def test_fifty_requests_make_one_job(self, database: Database) -> None:
        with database.write() as session:
            dataset = make_dataset(session)

        def post() -> JobId:
            with database.write() as session:
                jobs = JobRepository(session)
                try:
                    return jobs.add(_new_job(dataset.id)).id
                except IdempotencyKeyTaken:
                    first = jobs.by_idempotency_key(TENANT, "key-1")
                    assert first is not None
                    return first.id

        assert len(set(at_once(post, times=50))) == 1
        with database.read() as session:
            assert len(session.scalars(select(JobRow)).all()) == 1
            assert len(session.scalars(select(JobEventRow)).all()) == 1


class TestAnEndIsTheEnd:
    @pytest.mark.parametrize("turn", range(5))
    def test_cancel_finish_and_reap_at_once_leave_one_terminal_state(
        self, database: Database, turn: int
    ) -> None:
        held = running(database, lease_until=db_now(-1), crashes=2)
        acts = iter([self._finish, self._cancel, self._reap] * 2)
        at_once(lambda: next(acts)(database, held), times=6)
        with database.read() as session:
            job = session.scalars(select(JobRow)).one()
            told = list(session.scalars(select(JobEventRow.type).order_by(JobEventRow.seq)))
        assert job.state.is_terminal
        ends = [name for name in told if name != "job.cancel_requested"]
        assert ends == [f"job.{job.state}"]

    def _finish(self, database: Database, held: Claim) -> None:
        with database.write() as session:
            try:
                EngineRepository(session).finish(held, state=JobState.SUCCEEDED)
            except GhostWorker:
                return

    def _cancel(self, database: Database, held: Claim) -> None:
        with database.write() as session:
            JobRepository(session).request_cancel(TENANT, held.job_id)

    def _reap(self, database: Database, held: Claim) -> None:
        reap(database)


class TestBetweenLookingAndWriting:
    """PostgreSQL's READ COMMITTED: a row may change between the two halves of a statement."""

    def test_a_worker_that_is_just_renewing_is_passed_over(
        self, postgres_database: Database
    ) -> None:
        held = running(postgres_database, lease_until=db_now(-1))
        with postgres_database.write() as session:
            _renew(EngineRepository(session), held)
            assert reap(postgres_database) == []
        assert reap(postgres_database) == []

    def test_the_reaper_decides_again_when_it_writes(self, postgres_database: Database) -> None:
        assert _reap_while_renewing(postgres_database) == []

    def test_a_reaper_that_goes_by_id_only_is_caught(
        self, postgres_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        take_back = EngineRepository.take_back

        def by_id_only(engine: EngineRepository, candidates: Sequence[JobId]) -> list[Reaped]:
            with monkeypatch.context() as patch:
                patch.setattr(moves, "lease_is_over", true)
                return take_back(engine, candidates)

        monkeypatch.setattr(EngineRepository, "take_back", by_id_only)
        assert len(_reap_while_renewing(postgres_database)) == 1

    def test_the_claimer_decides_again_when_it_writes(self, postgres_database: Database) -> None:
        with postgres_database.write() as session:
            make_job(session)
        with _row_locks_left_out(postgres_database), ThreadPoolExecutor(1) as threads:
            with postgres_database.write() as session:
                EngineRepository(session).claim(queues=[Queue.ANY], worker="a", lease=LEASE)
                second = threads.submit(claim, postgres_database)
                _wait_until_blocked(postgres_database)
            assert second.result(timeout=30) is None

    def test_an_assistant_that_goes_on_to_its_next_shard_is_no_ghost(
        self, postgres_database: Database
    ) -> None:
        held = running(postgres_database, lease_owner="w:cpu", stage=Stage.LABEL.value)
        with postgres_database.write() as session:
            ShardRepository(session).cut(held, rows=2, shard_rows=1)
        with postgres_database.write() as session:
            first = ShardRepository(session).claim(kind=Queue.CPU, worker="a", lease=LEASE)
        assert first is not None
        share = Share(held, "a")

        def beat() -> None:
            with postgres_database.write() as session:
                ShardRepository(session).heartbeat(share, lease=LEASE)

        with ThreadPoolExecutor(1) as threads:
            with postgres_database.write() as session:
                shards = ShardRepository(session)
                shards.finish(ShardClaim(held, first.shard, first.attempt))
                assert shards.claim_next(share, lease=LEASE)
                beating = threads.submit(beat)
                _wait_until_blocked(postgres_database)
            beating.result(timeout=30)


def _reap_while_renewing(database: Database) -> list[Reaped]:
    """What the reaper takes when a heartbeat commits after it looked and before it writes.

    The row locks are left out of its look, so that the guard at write time stands alone.
    """
    held = running(database, lease_until=db_now(-1))
    with _row_locks_left_out(database), ThreadPoolExecutor(1) as threads:
        with database.write() as session:
            _renew(EngineRepository(session), held)
            reaper = threads.submit(reap, database)
            _wait_until_blocked(database)
        return reaper.result(timeout=30)


def _renew(engine: EngineRepository, held: Claim) -> None:
    engine.heartbeat(held, lease=LEASE, progress=1, detail={}, checkpoint=None)


@contextmanager
def _row_locks_left_out(database: Database) -> Iterator[None]:
    def _leave_out(*arguments: Any) -> tuple[str, Any]:
        _, _, statement, parameters, _, _ = arguments
        return statement.replace("FOR UPDATE SKIP LOCKED", ""), parameters

    event.listen(database.engine, "before_cursor_execute", _leave_out, retval=True)
    try:
        yield
    finally:
        event.remove(database.engine, "before_cursor_execute", _leave_out)


def _wait_until_blocked(database: Database) -> None:
    blocked = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        with database.read() as session:
            if session.scalar(blocked):
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits for the row that is being renewed")


def _new_job(dataset_id: Any) -> JobRow:
    return JobRow(
        id=new_job_id(),
        tenant_id=TENANT,
        name="tickets",
        spec={},
        dataset_id=dataset_id,
        idempotency_key="key-1",
        request_sha256="0" * 64,
        queue=Queue.ANY,
        max_wall_seconds=int(timedelta(hours=1).total_seconds()),
    )
