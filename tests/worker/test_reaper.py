"""The reaper takes jobs from the dead, and gives the living time after an outage."""

from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from core.db.base import db_now
from core.db.repositories.engine import Claim, EngineRepository
from core.db.repositories.shards import ShardRepository
from core.db.session import Database
from core.db.tables import JobShardRow
from core.ids import JobId
from core.lifecycle import JobState, Queue
from tests.factories import LEASE, make_job
from worker.drain import Drain
from worker.reaper import Reaper


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reaper(database: Database, clock: Clock) -> Reaper:
    return Reaper(database, lease=LEASE, settle=timedelta(seconds=10), clock=clock)


def add_lost_job(database: Database) -> JobId:
    with database.write() as session:
        return make_job(session, state=JobState.RUNNING, lease_until=db_now(-1)).id


class TestReaping:
    def test_a_lost_job_goes_back_to_the_queue(
        self, database: Database, reaper: Reaper, clock: Clock
    ) -> None:
        job_id = add_lost_job(database)
        clock.now += 10
        assert [(job.job_id, job.state, job.crashes) for job in reaper.tick()] == [
            (job_id, JobState.QUEUED, 1)
        ]
        clock.now += 10
        assert reaper.tick() == []

    def test_a_fresh_process_waits_for_a_heartbeat_first(
        self, database: Database, reaper: Reaper, clock: Clock
    ) -> None:
        add_lost_job(database)
        clock.now += 9
        assert reaper.tick() == []
        clock.now += 1
        assert len(reaper.tick()) == 1

    def test_the_living_may_renew_first_after_an_outage(
        self, database: Database, reaper: Reaper, clock: Clock
    ) -> None:
        clock.now += 10
        reaper.tick()
        # Nobody could reach the database for five minutes; every lease ran out meanwhile.
        living, dead = add_lost_job(database), add_lost_job(database)
        clock.now += 300
        assert reaper.tick() == []
        with database.write() as session:
            EngineRepository(session).heartbeat(
                Claim(living, 1), lease=LEASE, progress=1, detail={}, checkpoint=None
            )
        for _ in range(2):
            clock.now += 10
            assert reaper.tick() == []
        clock.now += 10
        assert [job.job_id for job in reaper.tick()] == [dead]

    def test_an_outage_that_ends_between_two_tries_counts_as_one(
        self, database: Database, reaper: Reaper, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock.now += 10
        reaper.tick()
        add_lost_job(database)
        with monkeypatch.context() as patch:
            patch.setattr(database, "read", _unreachable)
            for _ in range(5):
                clock.now += 10
                with pytest.raises(OperationalError):
                    reaper.tick()
        clock.now += 10
        assert reaper.tick() == []

    def test_three_at_once_count_one_crash(self, database: Database, clock: Clock) -> None:
        add_lost_job(database)
        reapers = [
            Reaper(database, lease=LEASE, settle=timedelta(0), clock=clock) for _ in range(3)
        ]
        reaped = [job for reaper in reapers for job in reaper.tick()]
        assert [job.crashes for job in reaped] == [1]


class TestShards:
    def test_a_lost_one_is_open_again_and_one_of_a_job_that_went_on_is_forgotten(
        self, database: Database, reaper: Reaper, clock: Clock
    ) -> None:
        with database.write() as session:
            held = [
                make_job(session, state=JobState.RUNNING, stage="label", lease_owner="w:cpu")
                for _ in range(2)
            ]
            shards = ShardRepository(session)
            for job in held:
                shards.cut(Claim(job.id, 1), rows=1, shard_rows=1)
            assert shards.claim(kind=Queue.CPU, worker="a", lease=timedelta(seconds=-1))
            held[1].attempt = 2
        clock.now += 10
        assert reaper.tick() == []
        with database.read() as session:
            left = session.query(JobShardRow).all()
        assert [(row.job_id, row.lease_owner, row.crashes) for row in left] == [
            (held[0].id, None, 1)
        ]


class TestTheLoop:
    def test_it_outlives_an_outage_and_ends_with_the_worker(
        self, reaper: Reaper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        drain = Drain()
        ticks = []

        def tick() -> list[object]:
            ticks.append(1)
            if len(ticks) == 1:
                raise OperationalError("SELECT", {}, Exception("gone"))
            drain.begin()
            return []

        monkeypatch.setattr(reaper, "tick", tick)
        reaper.run(drain, every_s=0.01)
        assert len(ticks) == 2


def _unreachable() -> None:
    raise OperationalError("SELECT", {}, Exception("connection refused"))
