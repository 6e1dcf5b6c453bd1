"""One job whose label stage is shared, for the explorer: an owner, assistants, and both reapers.

Assistants, like the workers of `one_job_world`, go on trying when they have learned that
they are ghosts. Their steps begin with `s.`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from core.db.base import SQLITE_NOW_MS
from core.db.repositories import shard_moves
from core.db.repositories.claims import Claim, ShardClaim, Share
from core.db.repositories.shard_budget import ShardBudget
from core.db.repositories.shards import Lost, ShardRepository
from core.db.tables import JobRow, JobShardRow
from core.lifecycle import JobState, Queue, Stage
from tests.core.engine.one_job_world import LEASE, PRICE, Memory, OneJobWorld, Snapshot

SHARDS = 2
SHARDS_SNAPSHOT = f"""
SELECT shard, job_attempt, attempt, crashes, done_at IS NOT NULL,
  CASE WHEN lease_until IS NULL THEN 'none' WHEN lease_until < {SQLITE_NOW_MS} THEN 'over'
       ELSE 'live' END,
  lease_owner, held_calls, held_micros
FROM job_shards ORDER BY shard
"""
EXPIRE_ONE = f"""
UPDATE job_shards SET lease_until = {SQLITE_NOW_MS} - 1000
WHERE shard = (SELECT min(shard) FROM job_shards WHERE lease_until >= {SQLITE_NOW_MS})
"""


@dataclass(frozen=True)
class Shard:
    """A shard as the database has it."""

    shard: int
    job_attempt: int
    attempt: int
    crashes: int
    done: int
    lease: str
    owner: str | None
    held_calls: int
    held_micros: int

    def is_held_by(self, claim: ShardClaim) -> bool:
        same = (self.shard, self.job_attempt, self.attempt)
        return self.lease != "none" and same == (claim.shard, claim.job.attempt, claim.attempt)


@dataclass(frozen=True)
class Hand:
    """What one process knows of shards.

    Attributes:
        claim: of an assistant, once it has one.
        found: a reaper's candidates.
        reserved: calls the assistant may make and has not settled.
    """

    claim: ShardClaim | None = None
    found: tuple[Lost, ...] = ()
    reserved: int = 0


class SharedJobWorld(OneJobWorld):
    """`OneJobWorld` with shards."""

    def __init__(self, session: Session, job: JobRow, processes: list[str]) -> None:
        super().__init__(session, job, processes)
        self.hands = {process: Hand() for process in processes}
        self.shards = self._read_shards()

    def situation(self) -> tuple[Any, ...]:
        return *super().situation(), self.shards, tuple(self.hands.values())

    def can(self, process: str, step: str) -> bool:
        hand = self.hands[process]
        match step:
            case "s.expire":
                return any(shard.lease == "live" for shard in self.shards)
            case "s.look" | "s.claim":
                return True
            case "s.take":
                return bool(hand.found)
            case "s.settle":
                return hand.reserved > 0
            case _ if step.startswith("s."):
                return hand.claim is not None
            case _:
                return super().can(process, step)

    @contextmanager
    def undone(self) -> Iterator[None]:
        kept = dict(self.hands), self.shards
        with super().undone():
            yield
        self.hands, self.shards = kept

    def do(self, process: str, step: str) -> bool:
        hand, shards, job = self.hands[process], self.shards, self.now
        moved = super().do(process, step)
        self.shards = self._read_shards()
        owner = self.memories[process].claim
        if step == "cut":
            _check_cut(shards, self.shards, owner=owner, job=job)
        else:
            self._check_shards(step, hand, shards, job_runs=_runs(job, hand))
        self._check_holds()
        changed = self.hands[process] != hand
        return changed if step in {"s.claim", "s.look"} else moved

    def _act(self, process: str, step: str, memory: Memory) -> Memory:
        if step == "cut":
            assert memory.claim is not None
            ShardRepository(self.session).cut(memory.claim, rows=SHARDS, shard_rows=1)
        elif step.startswith("s."):
            self.hands[process] = self._act_on_shards(process, step, self.hands[process])
        else:
            return super()._act(process, step, memory)
        return memory

    def _act_on_shards(self, process: str, step: str, hand: Hand) -> Hand:
        repository = ShardRepository(self.session)
        match step:
            case "s.expire":
                self.sqlite.execute(EXPIRE_ONE)
            case "s.look":
                rows = self.session.execute(shard_moves.lost_shards(10)).all()
                return replace(hand, found=tuple((row[0], row[1], row[2]) for row in rows))
            case "s.take":
                repository.take_back(hand.found)
            case "s.claim":
                row = repository.claim(kind=Queue.CPU, worker=process, lease=LEASE)
                return hand if row is None else replace(hand, claim=_claim_of(row))
            case _:
                assert hand.claim is not None
                return self._fill(process, step, hand, hand.claim)
        return hand

    def _fill(self, process: str, step: str, hand: Hand, claim: ShardClaim) -> Hand:
        repository, budget = ShardRepository(self.session), ShardBudget(self.session)
        share = Share(claim.job, process)
        match step:
            case "s.beat":
                repository.heartbeat(share, lease=LEASE)
            case "s.reserve":
                if budget.reserve(claim, calls=1, micros=PRICE):
                    self.history = replace(self.history, calls=self.history.calls + 1)
                    return replace(hand, reserved=hand.reserved + 1)
            case "s.settle":
                budget.settle(claim, calls=1, held_micros=PRICE, spent_micros=PRICE)
                return replace(hand, reserved=hand.reserved - 1)
            case "s.finish":
                repository.finish(claim)
            case "s.release":
                repository.release(share)
            case "s.crash":
                repository.crash(share)
            case _:
                raise ValueError(step)
        return hand

    def _check_shards(
        self, step: str, hand: Hand, before: tuple[Shard, ...], *, job_runs: bool
    ) -> None:
        changed = [pair for pair in zip(before, self.shards, strict=True) if pair[0] != pair[1]]
        match step:
            case "s.take":
                _check_take(changed)
            case "s.claim":
                _check_claim(changed, self)
            case "s.expire" | "s.look":
                pass
            case _ if step.startswith("s."):
                claim = hand.claim
                assert claim is not None
                for old, _ in changed:
                    assert old.is_held_by(claim), f"a ghost's {step} was accepted"
                if step in {"s.beat", "s.reserve", "s.settle"}:
                    assert job_runs or not changed, f"{step} of a lost job was accepted"
            case _:
                assert not changed, f"{step} touched a shard"

    def _check_holds(self) -> None:
        """What the job holds is in the hands of those who may still use it, to the call."""
        by_hand = 0
        for shard in self.shards:
            assert shard.held_micros == PRICE * shard.held_calls, "money was lost on a shard"
            if self.now.state != JobState.RUNNING or shard.job_attempt != self.now.attempt:
                continue
            holders = [
                hand.reserved
                for hand in self.hands.values()
                if hand.claim is not None and shard.is_held_by(hand.claim)
            ]
            assert shard.held_calls == sum(holders), "a shard's note is not what its worker holds"
            by_hand += shard.held_calls
        for memory in self.memories.values():
            if memory.claim is not None and self.now.is_held_by(memory.claim):
                by_hand += memory.reserved
        assert self.now.held_calls == by_hand, (
            f"the job holds {self.now.held_calls} calls, its workers {by_hand}"
        )

    def _read_shards(self) -> tuple[Shard, ...]:
        return tuple(Shard(*row) for row in self.sqlite.execute(SHARDS_SNAPSHOT))


def _claim_of(row: JobShardRow) -> ShardClaim:
    return ShardClaim(Claim(row.job_id, row.job_attempt), row.shard, row.attempt)


def _runs(job: Snapshot, hand: Hand) -> bool:
    return hand.claim is not None and job.is_held_by(hand.claim.job)


def _check_cut(
    before: tuple[Shard, ...], after: tuple[Shard, ...], *, owner: Claim | None, job: Snapshot
) -> None:
    if after == before:
        return
    assert owner is not None
    assert job.is_held_by(owner), "a ghost's cut was accepted"
    assert not before or before[0].job_attempt < owner.attempt, "an attempt cut twice"
    assert [shard.job_attempt for shard in after] == [owner.attempt] * SHARDS, "a wrong cut"


def _check_take(changed: list[tuple[Shard, Shard]]) -> None:
    for old, new in changed:
        assert old.lease == "over", "a living assistant lost its shard"
        assert new.crashes == old.crashes + 1, "a lost lease was not counted once"
        assert new.held_calls == 0, "a lost shard still holds money"


def _check_claim(changed: list[tuple[Shard, Shard]], world: SharedJobWorld) -> None:
    job = world.now
    for old, new in changed:
        assert (old.lease, old.done) == ("none", 0), "a shard was claimed that is not open"
        assert new.attempt == old.attempt + 1, "a claim without a new attempt"
        assert (job.state, job.attempt) == (JobState.RUNNING, new.job_attempt), (
            "a shard of a lost job was claimed"
        )
        assert (job.stage, job.cancelling) == (Stage.LABEL, 0), "a job that wants no help"
