"""Shards on both databases: who may take them, and what becomes of them."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from core.db.base import db_now
from core.db.repositories.claims import Claim, GhostWorker, ShardClaim, ShardCount, Share
from core.db.repositories.shard_budget import ShardBudget
from core.db.repositories.shards import ShardRepository
from core.db.session import Database
from core.db.tables import JobRow, JobShardRow
from core.lifecycle import MAX_CRASHES, EventType, JobState, Queue, Stage
from tests.core.engine.rows import claim as claim_job
from tests.core.engine.rows import events, expire, given_job, given_running, read_job, shift
from tests.factories import LEASE

LONG = timedelta(hours=1)


def cut(database: Database, held: Claim, *, rows: int = 25, shard_rows: int = 10) -> None:
    with database.write() as session:
        ShardRepository(session).cut(held, rows=rows, shard_rows=shard_rows)


def given_shards(database: Database, *, device: str = "cpu", **given: Any) -> Claim:
    """A running job that offers three shards."""
    held = given_running(database, lease_owner=f"worker-1:{device}", **given)
    cut(database, held)
    return held


def take(
    database: Database,
    *,
    kind: Queue = Queue.CPU,
    worker: str = "a",
    lease: timedelta = LEASE,
) -> ShardClaim | None:
    with database.write() as session:
        row = ShardRepository(session).claim(kind=kind, worker=worker, lease=lease)
        return None if row is None else claim_of(row)


def taken(database: Database, **given: Any) -> ShardClaim:
    claim = take(database, **given)
    assert claim is not None
    return claim


def claim_of(row: JobShardRow) -> ShardClaim:
    return ShardClaim(Claim(row.job_id, row.job_attempt), row.shard, row.attempt)


def read_shards(database: Database) -> list[JobShardRow]:
    with database.read() as session:
        return list(session.scalars(select(JobShardRow).order_by(JobShardRow.shard)))


def expire_shard(database: Database, claim: ShardClaim) -> None:
    with database.write() as session:
        session.execute(
            update(JobShardRow)
            .where(JobShardRow.job_id == claim.job.job_id, JobShardRow.shard == claim.shard)
            .values(lease_until=db_now(-1))
        )


def reap(database: Database) -> list[tuple[int, int]]:
    with database.write() as session:
        return [(shard.shard, shard.crashes) for shard in ShardRepository(session).reap()]


def reserve(database: Database, claim: ShardClaim, *, calls: int = 1, micros: int = 0) -> bool:
    with database.write() as session:
        return ShardBudget(session).reserve(claim, calls=calls, micros=micros)


def settle(database: Database, claim: ShardClaim, *, calls: int, held: int, spent: int) -> bool:
    with database.write() as session:
        return ShardBudget(session).settle(claim, calls=calls, held_micros=held, spent_micros=spent)


def finish(database: Database, claim: ShardClaim) -> None:
    with database.write() as session:
        ShardRepository(session).finish(claim)


class TestCut:
    def test_every_row_is_in_one_shard(self, database: Database) -> None:
        given_shards(database)
        parts = [(shard.first_row, shard.rows) for shard in read_shards(database)]
        assert parts == [(0, 10), (10, 10), (20, 5)]

    def test_twice_changes_nothing(self, database: Database) -> None:
        held = given_shards(database)
        claim = taken(database)
        cut(database, held)
        assert [shard.attempt for shard in read_shards(database)] == [1, 0, 0]
        finish(database, claim)

    def test_a_new_attempt_begins_anew(self, database: Database) -> None:
        held = given_shards(database)
        old = taken(database)
        expire(database, held.job_id)
        shift(database, held.job_id, run_at=-1)
        with database.write() as session:
            session.execute(
                update(JobRow).values(state=JobState.QUEUED, lease_until=None, lease_owner=None)
            )
        assert claim_job(database) is not None
        new = Claim(held.job_id, 2)
        cut(database, new, rows=12)
        shards = read_shards(database)
        assert [(shard.job_attempt, shard.attempt) for shard in shards] == [(2, 0), (2, 0)]
        again = taken(database)
        assert (again.shard, again.attempt) == (old.shard, old.attempt)
        # The same numbers, and yet another's.
        with pytest.raises(GhostWorker):
            finish(database, old)
        with pytest.raises(GhostWorker):
            reserve(database, old)
        finish(database, again)

    def test_a_ghost_cuts_nothing(self, database: Database) -> None:
        held = given_running(database, attempt=2)
        with pytest.raises(GhostWorker):
            cut(database, Claim(held.job_id, 1))
        assert read_shards(database) == []


class TestClaim:
    def test_each_shard_is_claimed_once_in_order(self, database: Database) -> None:
        given_shards(database)
        claims = [take(database, worker=name) for name in "abcd"]
        assert [claim and claim.shard for claim in claims] == [0, 1, 2, None]
        shards = read_shards(database)
        assert [shard.lease_owner for shard in shards] == ["a", "b", "c"]
        assert {shard.attempt for shard in shards} == {1}

    def test_the_most_urgent_job_is_helped_first(self, database: Database) -> None:
        given_shards(database)
        urgent = given_shards(database, priority=5)
        assert taken(database).job == urgent

    def test_only_on_a_device_of_the_owners_kind(self, database: Database) -> None:
        """Another kind's arithmetic would give other last bits than the owner's."""
        given_shards(database, device="gpu3")
        assert take(database, kind=Queue.CPU) is None
        assert take(database, kind=Queue.GPU) is not None

    @pytest.mark.parametrize(
        "values",
        [
            {"cancel_at": db_now()},
            {"deadline_at": db_now(-1)},
            {"stage": Stage.TRAIN.value},
            {"attempt": 7},
            {"state": JobState.QUEUED, "lease_until": None, "lease_owner": None},
            {"state": JobState.FAILED, "lease_until": None, "finished_at": db_now()},
        ],
        ids=["cancelled", "late", "training", "taken over", "queued", "failed"],
    )
    def test_a_job_that_wants_no_help_gets_none(
        self, database: Database, values: dict[str, Any]
    ) -> None:
        given_shards(database)
        with database.write() as session:
            session.execute(update(JobRow).values(values))
        assert take(database) is None

    def test_the_next_one_is_of_the_same_job(self, database: Database) -> None:
        held = given_shards(database)
        first = taken(database)
        given_shards(database, priority=5)
        finish(database, first)
        share = Share(held, "a")
        with database.write() as session:
            row = ShardRepository(session).claim_next(share, lease=LEASE)
        assert row is not None
        assert (row.job_id, row.shard) == (held.job_id, 1)
        with database.write() as session:
            again = ShardRepository(session).claim_next(share, lease=LEASE)
        assert again is not None
        assert (again.shard, again.attempt) == (1, 1), "a repeated claim is the same claim"

    def test_the_job_of_a_shard_is_known(self, database: Database) -> None:
        held = given_shards(database)
        with database.write() as session:
            shards = ShardRepository(session)
            row = shards.claim(kind=Queue.CPU, worker="a", lease=LEASE)
            assert row is not None
            assert shards.job_of(row).id == held.job_id


class TestTheOwner:
    def own(self, database: Database, held: Claim) -> ShardClaim | None:
        with database.write() as session:
            row = ShardRepository(session).claim_own(Share(held, "owner"), lease=LONG)
            return None if row is None else claim_of(row)

    def test_never_shares_a_shard_with_an_assistant(self, database: Database) -> None:
        held = given_shards(database)
        theirs = [taken(database).shard]
        ours = []
        while (claim := self.own(database, held)) is not None:
            ours.append(claim.shard)
            finish(database, claim)
        assert (theirs, ours) == ([0], [1, 2])

    def test_takes_what_no_assistant_survived(self, database: Database) -> None:
        held = given_shards(database)
        with database.write() as session:
            session.execute(update(JobShardRow).values(crashes=MAX_CRASHES))
        assert take(database) is None
        own = self.own(database, held)
        assert own is not None
        assert own.shard == 0

    def test_knows_how_far_all_of_them_are(self, database: Database) -> None:
        held = given_shards(database)
        with database.read() as session:
            assert ShardRepository(session).count(held) == ShardCount(rows_done=0, left=3)
        finish(database, taken(database))
        taken(database, worker="b")
        with database.read() as session:
            assert ShardRepository(session).count(held) == ShardCount(rows_done=10, left=2)


class TestHeartbeat:
    def beat(self, database: Database, share: Share) -> None:
        with database.write() as session:
            ShardRepository(session).heartbeat(share, lease=LEASE)

    def test_renews_the_lease(self, database: Database) -> None:
        given_shards(database)
        claim = taken(database)
        expire_shard(database, claim)
        self.beat(database, Share(claim.job, "a"))
        assert reap(database) == []

    def test_of_one_that_holds_nothing_any_more_is_refused(self, database: Database) -> None:
        held = given_shards(database)
        claim = taken(database)
        with pytest.raises(GhostWorker):
            self.beat(database, Share(held, "another"))
        expire_shard(database, claim)
        reap(database)
        with pytest.raises(GhostWorker):
            self.beat(database, Share(held, "a"))

    def test_ends_with_the_job(self, database: Database) -> None:
        held = given_shards(database)
        taken(database)
        shift(database, held.job_id, cancel_at=0)
        with pytest.raises(GhostWorker):
            self.beat(database, Share(held, "a"))


class TestAShardThatIsOver:
    def test_done_is_done(self, database: Database) -> None:
        given_shards(database)
        claim = taken(database)
        finish(database, claim)
        finish(database, claim)
        shard = read_shards(database)[0]
        assert shard.done_at is not None
        assert (shard.lease_owner, shard.lease_until) == (None, None)
        assert taken(database).shard == 1

    def test_released_it_is_open_without_a_crash(self, database: Database) -> None:
        held = given_shards(database)
        taken(database)
        with database.write() as session:
            ShardRepository(session).release(Share(held, "a"))
        assert read_shards(database)[0].crashes == 0
        assert taken(database, worker="b").attempt == 2

    def test_crashed_it_is_open_and_the_job_is_as_before(self, database: Database) -> None:
        held = given_shards(database, crashes=1)
        taken(database)
        with database.write() as session:
            ShardRepository(session).crash(Share(held, "a"))
        assert read_shards(database)[0].crashes == 1
        assert read_job(database, held.job_id).crashes == 1
        assert [event.type for event in events(database, held.job_id)] == []

    def test_lost_three_times_it_is_left_to_the_owner(self, database: Database) -> None:
        given_shards(database)
        for lost in range(1, MAX_CRASHES + 1):
            claim = taken(database)
            assert claim.shard == 0
            assert reap(database) == []
            expire_shard(database, claim)
            assert reap(database) == [(0, lost)]
        assert taken(database).shard == 1

    def test_it_goes_when_the_job_has_gone_on(self, database: Database) -> None:
        held = given_shards(database)
        other = given_shards(database)
        with database.write() as session:
            job = session.get_one(JobRow, held.job_id)
            job.state, job.lease_until, job.finished_at = JobState.FAILED, None, db_now()
        reap(database)
        assert {shard.job_id for shard in read_shards(database)} == {other.job_id}


class TestMoney:
    def test_is_held_by_the_job_and_noted_on_the_shard(self, database: Database) -> None:
        held = given_shards(database, cap_calls=10, cap_micros=100, held_calls=1, held_micros=10)
        claim = taken(database)
        assert reserve(database, claim, calls=2, micros=20)
        job, shard = read_job(database, held.job_id), read_shards(database)[0]
        assert (job.held_calls, job.held_micros) == (3, 30)
        assert (shard.held_calls, shard.held_micros) == (2, 20)
        with database.read() as session:
            budget = ShardBudget(session)
            assert (budget.held_calls(claim), budget.owner_held_calls(held)) == (2, 1)
        assert settle(database, claim, calls=2, held=20, spent=5)
        job, shard = read_job(database, held.job_id), read_shards(database)[0]
        assert (job.held_calls, job.held_micros) == (1, 10)
        assert (job.spent_calls, job.spent_micros) == (2, 5)
        assert (shard.held_calls, shard.held_micros) == (0, 0)

    def test_all_workers_share_one_cap(self, database: Database) -> None:
        given_shards(database, cap_calls=3)
        first, second = taken(database), taken(database, worker="b")
        assert reserve(database, first, calls=2)
        assert not reserve(database, second, calls=2)
        assert reserve(database, second, calls=1)
        assert read_shards(database)[1].held_calls == 1

    def test_of_a_lost_shard_is_spent_once(self, database: Database) -> None:
        held = given_shards(database)
        claim = taken(database)
        reserve(database, claim, calls=2, micros=20)
        expire_shard(database, claim)
        reap(database)
        reap(database)
        job = read_job(database, held.job_id)
        assert (job.spent_calls, job.held_calls) == (2, 0)
        assert (job.spent_micros, job.held_micros) == (20, 0)
        assert not settle(database, claim, calls=2, held=20, spent=20)
        assert read_job(database, held.job_id).spent_calls == 2

    def test_of_a_job_that_was_taken_over_is_spent_with_the_job(self, database: Database) -> None:
        held = given_shards(database)
        claim = taken(database)
        reserve(database, claim, calls=2, micros=20)
        with database.write() as session:
            session.execute(
                update(JobRow).values(
                    state=JobState.QUEUED, lease_until=None, lease_owner=None, run_at=db_now(-1)
                )
            )
        again = claim_job(database)
        assert again is not None
        assert (again.spent_calls, again.held_calls) == (2, 0)
        expire_shard(database, claim)
        reap(database)
        assert not settle(database, claim, calls=2, held=20, spent=20)
        job = read_job(database, held.job_id)
        assert (job.spent_calls, job.held_calls, job.spent_micros) == (2, 0, 20)

    def test_of_calls_that_were_never_made_is_free_again(self, database: Database) -> None:
        held = given_shards(database, cap_calls=2)
        claim = taken(database)
        assert reserve(database, claim, calls=2, micros=20)
        with database.write() as session:
            assert ShardBudget(session).release_hold(claim, calls=1, micros=10)
        job, shard = read_job(database, held.job_id), read_shards(database)[0]
        assert (job.held_calls, job.held_micros, job.spent_calls) == (1, 10, 0)
        assert (shard.held_calls, shard.held_micros) == (1, 10)
        assert reserve(database, claim)

    def test_a_ghost_reserves_nothing(self, database: Database) -> None:
        held = given_shards(database)
        claim = taken(database)
        expire_shard(database, claim)
        reap(database)
        with pytest.raises(GhostWorker, match="no longer holds shard 0"):
            reserve(database, claim)
        assert read_job(database, held.job_id).held_calls == 0


class TestWhatAJobIsTold:
    def test_shards_leave_no_trace_in_its_log(self, database: Database) -> None:
        """Its events are of the job; a log of shards would drown them."""
        job = given_job(database)
        claimed = claim_job(database)
        assert claimed is not None
        cut(database, Claim(job.id, 1))
        finish(database, taken(database))
        assert [event.type for event in events(database, job.id)] == [EventType.JOB_STARTED]
