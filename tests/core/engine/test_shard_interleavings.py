"""Every order of the steps of owner, assistants and reapers, on the engine's own statements."""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import ColumnElement, and_, true, update
from sqlalchemy.exc import IntegrityError

from core.db.repositories import moves, shard_moves, shards
from core.db.repositories.claims import Claim, ReapedShard, ShardClaim
from core.db.repositories.engine import EngineRepository
from core.db.repositories.shard_budget import ShardBudget
from core.db.repositories.shards import Lost, ShardRepository
from core.db.session import Database
from core.db.tables import JobRow, JobShardRow
from core.lifecycle import JobState
from tests.core.engine.explorer import Explorer, Violation, Walk
from tests.core.engine.one_job_world import PRICE
from tests.core.engine.shared_job_world import SharedJobWorld
from tests.factories import make_job

Programs = Mapping[str, Sequence[str]]

# An assistant sleeps past its lease, another one fills its shard, the first one wakes up.
LOST_SHARD: Programs = {
    "owner": ("claim", "cut", "reserve", "finish"),
    "assistant A": ("s.claim", "s.reserve", "s.settle", "s.finish"),
    "assistant B": ("s.claim", "s.reserve", "s.beat"),
    "shard reaper": ("s.look", "s.take"),
    "clock": ("s.expire", "s.expire"),
}
# The job itself is taken over while an assistant of the first owner has calls in flight.
LOST_JOB: Programs = {
    "owner A": ("claim", "cut", "cut"),
    "owner B": ("claim", "cut"),
    "assistant A": ("s.claim", "s.reserve", "s.settle", "s.beat", "s.finish"),
    "assistant B": ("s.claim",),
    "reaper": ("look", "take"),
    "shard reaper": ("s.look", "s.take"),
    "clock": ("expire", "s.expire"),
}
# Hand-overs that need no reaper, and a cancel.
DRAIN: Programs = {
    "owner": ("claim", "cut", "release"),
    "assistant A": ("s.claim", "s.reserve", "s.release", "s.settle"),
    "assistant B": ("s.claim", "s.reserve", "s.crash"),
    "shard reaper": ("s.look", "s.take"),
    "clock": ("s.expire",),
    "user": ("cancel",),
}
SCENARIOS = {"lost shard": LOST_SHARD, "lost job": LOST_JOB, "drain": DRAIN}


def walk(database: Database, programs: Programs) -> Walk:
    with database.write() as session:
        job = make_job(session, cap_calls=3, cap_micros=3 * PRICE)
        session.expunge_all()
        world = SharedJobWorld(session, job, list(programs))
        return Explorer(world, programs).walk()


class TestInterleavings:
    @pytest.mark.parametrize("name", SCENARIOS)
    def test_no_order_of_steps_breaks_a_promise(
        self, name: str, sqlite_database: Database, capsys: pytest.CaptureFixture[str]
    ) -> None:
        start = time.process_time()
        walked = walk(sqlite_database, SCENARIOS[name])
        took = time.process_time() - start
        with capsys.disabled():
            sys.stdout.write(f"\n{name}: {walked} in {took:.1f} s of CPU")
        # A walk that ends early, because a step became impossible, would prove nothing.
        assert walked.interleavings > 20_000


def _leased(claim: ShardClaim) -> ColumnElement[bool]:
    return and_(
        JobShardRow.job_id == claim.job.job_id,
        JobShardRow.shard == claim.shard,
        JobShardRow.lease_until.is_not(None),
    )


def fence_without_attempt(claim: ShardClaim) -> ColumnElement[bool]:
    return and_(_leased(claim), JobShardRow.job_attempt == claim.job.attempt)


def fence_without_job_attempt(claim: ShardClaim) -> ColumnElement[bool]:
    return and_(_leased(claim), JobShardRow.attempt == claim.attempt)


def fence_without_lease(claim: ShardClaim) -> ColumnElement[bool]:
    return and_(
        JobShardRow.job_id == claim.job.job_id,
        JobShardRow.shard == claim.shard,
        JobShardRow.attempt == claim.attempt,
        JobShardRow.job_attempt == claim.job.attempt,
    )


def job_without_attempt(claim: Claim) -> ColumnElement[bool]:
    return and_(JobRow.id == claim.job_id, JobRow.state == JobState.RUNNING)


def anything() -> ColumnElement[bool]:
    return true()


def nothing_to_spend(self: ShardRepository, job: Claim, rows: Sequence[JobShardRow]) -> None:
    """Forget what the lost shards held."""


def spend_by_job_id_only(self: ShardRepository, job: Claim, rows: Sequence[JobShardRow]) -> None:
    calls, micros = sum(row.held_calls for row in rows), sum(row.held_micros for row in rows)
    self.session.execute(
        update(JobRow)
        .where(JobRow.id == job.job_id)
        .values(
            held_calls=JobRow.held_calls - calls,
            spent_calls=JobRow.spent_calls + calls,
            held_micros=JobRow.held_micros - micros,
            spent_micros=JobRow.spent_micros + micros,
        )
    )


def any_job(*_: Any) -> bool:
    return True


class TestABrokenEngineIsCaught:
    """The walk is only as good as what it finds: each guard, taken away, breaks a promise."""

    @pytest.mark.parametrize(
        ("fence", "programs"),
        [
            (fence_without_attempt, LOST_SHARD),
            (fence_without_lease, LOST_SHARD),
            (fence_without_job_attempt, LOST_JOB),
        ],
    )
    def test_a_fence_that_forgets_something(
        self,
        fence: Any,
        programs: Programs,
        sqlite_database: Database,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(shard_moves, "held_by", fence)
        with pytest.raises(Violation, match=r"a ghost's s\.\w+ was accepted|of a lost job"):
            walk(sqlite_database, programs)

    def test_no_fence_of_the_job(
        self, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(moves, "held_by", job_without_attempt)
        with pytest.raises(Violation, match=r"a ghost's|of a lost job"):
            walk(sqlite_database, LOST_JOB)

    def test_a_reaper_that_goes_by_number_only(
        self, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        take_back = ShardRepository.take_back

        def by_number_only(
            repository: ShardRepository, candidates: Sequence[Lost]
        ) -> list[ReapedShard]:
            with monkeypatch.context() as patch:
                patch.setattr(shard_moves, "lease_is_over", anything)
                return take_back(repository, candidates)

        monkeypatch.setattr(ShardRepository, "take_back", by_number_only)
        with pytest.raises(Violation, match="a living assistant lost its shard"):
            walk(sqlite_database, LOST_SHARD)

    def test_a_claim_of_what_is_not_open(
        self, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shard_moves, "is_open", anything)
        with pytest.raises((Violation, IntegrityError), match="is not open"):
            walk(sqlite_database, LOST_SHARD)

    def test_a_claim_that_does_not_ask_the_job(
        self, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shard_moves, "wants_help", lambda: JobRow.id == JobShardRow.job_id)
        with pytest.raises(Violation, match=r"of a lost job was claimed|wants no help"):
            walk(sqlite_database, DRAIN)

    def test_a_lost_shard_whose_money_is_forgotten(
        self, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ShardRepository, "_spend_held", nothing_to_spend)
        with pytest.raises(Violation, match=r"the job holds \d calls, its workers \d"):
            walk(sqlite_database, LOST_SHARD)

    def test_money_that_is_spent_with_the_shard_and_with_the_job(
        self, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The note of a shard still counts after the job's hold was spent at its take-over."""
        monkeypatch.setattr(shards, "lock_job", any_job)
        monkeypatch.setattr(ShardRepository, "_spend_held", spend_by_job_id_only)
        with pytest.raises(Violation):
            walk(sqlite_database, LOST_JOB)

    def test_a_reservation_that_is_not_noted(
        self, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ShardBudget, "_update_held", any_job)
        with pytest.raises(Violation, match="a shard's note is not what its worker holds"):
            walk(sqlite_database, LOST_SHARD)

    def test_a_settlement_that_does_not_ask_the_shard(
        self, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Calls that became spent with the lost lease would be taken off the hold again."""

        def settle(budget: ShardBudget, claim: ShardClaim, **given: int) -> bool:
            return EngineRepository(budget.session).settle(claim.job, **given)

        monkeypatch.setattr(ShardBudget, "settle", settle)
        with pytest.raises(Violation):
            walk(sqlite_database, LOST_SHARD)
