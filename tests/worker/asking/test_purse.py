"""The budget of one job in several hands: never passed, nothing forgotten, nothing twice."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from sqlalchemy import delete
from sqlalchemy.exc import OperationalError

from core.db.repositories.claims import Claim, GhostWorker, ShardClaim
from core.db.repositories.shards import ShardRepository
from core.db.session import Database
from core.db.tables import JobRow, JobShardRow, TeacherAnswerRow
from core.lifecycle import Queue, Stage
from tests.core.engine.rows import given_running, read_job
from tests.factories import LEASE, TENANT
from worker.asking.account import Account, JobAccount, ShardAccount
from worker.asking.purse import Payment, Purse

RUNS = 100
HOLDERS = 5
MOST = 10
CAP = 40


def given_shared(database: Database, **given: Any) -> Claim:
    """A running job that offers a shard for each assistant."""
    held = given_running(
        database, lease_owner="w:cpu", stage=Stage.LABEL.value, tenant_id=TENANT, **given
    )
    with database.write() as session:
        ShardRepository(session).cut(held, rows=HOLDERS, shard_rows=1)
    return held


def take_shard(database: Database, worker: str) -> ShardAccount:
    with database.write() as session:
        row = ShardRepository(session).claim(kind=Queue.CPU, worker=worker, lease=LEASE)
        assert row is not None
        return ShardAccount(ShardClaim(Claim(row.job_id, row.job_attempt), row.shard, row.attempt))


def make_purse(database: Database, account: Account) -> Purse:
    return Purse(database, tenant_id=TENANT, account=account)


def answer(key: str) -> TeacherAnswerRow:
    return TeacherAnswerRow(
        key=key, status="answered", label="a", confidence_source="none", model="m", job_id=None
    )


def both(database: Database, **given: Any) -> Iterator[tuple[Claim, Account]]:
    held = given_shared(database, **given)
    yield held, JobAccount(held)
    yield held, take_shard(database, "a")


@dataclass
class Spender:
    """One worker that holds and pays until the budget is gone; some calls it never makes."""

    database: Database
    account: Account
    name: str
    seed: int
    paid: int = 0
    passed: bool = False

    def spend(self) -> None:
        purse, random = make_purse(self.database, self.account), Random(self.seed)
        for turn in range(200):
            calls = purse.hold([MOST] * random.randint(1, 6))
            self.look()
            if not calls:
                return
            unused = random.randint(0, 1) if calls > 1 else 0
            purse.release(calls=unused, micros=MOST * unused)
            made = calls - unused
            rows = [answer(f"{self.name}-{turn}-{place}") for place in range(made)]
            purse.pay(Payment(rows, held_micros=MOST * made, spent_micros=MOST * made))
            self.paid += made
        raise AssertionError("the cap was never reached")

    def look(self) -> None:
        with self.database.read() as session:
            job = session.get_one(JobRow, self.account.job.job_id)
            self.passed |= job.spent_calls + job.held_calls > CAP
            self.passed |= job.spent_micros + job.held_micros > CAP * MOST


class TestSeveralHolders:
    def test_never_pass_the_cap_and_leave_nothing_held(
        self, postgres_database: Database, record_property: Callable[[str, object], None]
    ) -> None:
        database = postgres_database
        exact = 0
        for run in range(RUNS):
            held = given_shared(database, cap_calls=CAP, cap_micros=CAP * MOST)
            accounts: list[Account] = [JobAccount(held)]
            accounts += [take_shard(database, f"w{place}") for place in range(HOLDERS - 1)]
            spenders = [
                Spender(database, account, f"{run}-{place}", seed=run * HOLDERS + place)
                for place, account in enumerate(accounts)
            ]
            threads = [threading.Thread(target=spender.spend) for spender in spenders]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            assert not any(spender.passed for spender in spenders)
            job = read_job(database, held.job_id)
            assert (job.held_calls, job.held_micros) == (0, 0)
            assert job.spent_calls == sum(spender.paid for spender in spenders) <= CAP
            assert job.spent_micros == MOST * job.spent_calls
            exact += job.spent_calls == CAP
            with database.write() as session:
                assert not any(row.held_calls for row in session.query(JobShardRow))
                session.execute(delete(JobShardRow))
        record_property("figure", f"{RUNS}/{RUNS} within the cap, {exact} spent all of it")


class TestACommitWhoseConnectionBroke:
    """It came through, and the worker cannot know: nothing may be held, paid or freed twice."""

    def test_holds_once(self, database: Database) -> None:
        for held, account in both(database, cap_calls=20):
            with commit_unheard(database):
                assert make_purse(database, account).hold([0] * 5) == 5
            assert read_job(database, held.job_id).held_calls == 5
            assert make_purse(database, account).hold([0] * 20) == 15
            break_up(database, held)

    def test_pays_once(self, database: Database) -> None:
        for held, account in both(database):
            purse = make_purse(database, account)
            purse.hold([MOST] * 2)
            with commit_unheard(database):
                purse.pay(Payment([answer("a"), answer("b")], held_micros=2 * MOST, spent_micros=7))
            job = read_job(database, held.job_id)
            assert (job.spent_calls, job.held_calls) == (2, 0)
            assert (job.spent_micros, job.held_micros) == (7, 0)
            break_up(database, held)

    def test_frees_once(self, database: Database) -> None:
        for held, account in both(database):
            purse = make_purse(database, account)
            purse.hold([MOST] * 3)
            with commit_unheard(database):
                purse.release(calls=2, micros=2 * MOST)
            job = read_job(database, held.job_id)
            assert (job.held_calls, job.held_micros) == (1, MOST)
            break_up(database, held)

    def test_of_another_holder_is_not_taken_for_ours(self, database: Database) -> None:
        held = given_shared(database)
        owner = make_purse(database, JobAccount(held))
        assistant = make_purse(database, take_shard(database, "a"))
        assistant.hold([0] * 4)
        with commit_unheard(database, lost=True):
            assert owner.hold([0] * 3) == 3
        assert read_job(database, held.job_id).held_calls == 7


class TestALostClaim:
    def test_keeps_the_answers_and_counts_the_money_once(self, database: Database) -> None:
        held = given_shared(database)
        purse = make_purse(database, take_shard(database, "a"))
        purse.hold([MOST] * 2)
        with database.write() as session:
            for row in session.query(JobShardRow).filter_by(lease_owner="a"):
                shard = row.shard
            session.query(JobShardRow).filter_by(shard=shard).update(
                {"attempt": JobShardRow.attempt + 1, "held_calls": 0, "held_micros": 0}
            )
            session.query(JobRow).update(
                {"spent_calls": 2, "held_calls": 0, "spent_micros": 20, "held_micros": 0}
            )
        with pytest.raises(GhostWorker):
            purse.pay(Payment([answer("a"), answer("b")], held_micros=20, spent_micros=20))
        job = read_job(database, held.job_id)
        assert (job.spent_calls, job.spent_micros, job.held_calls) == (2, 20, 0)
        with database.read() as session:
            assert session.query(TeacherAnswerRow).count() == 2


def break_up(database: Database, held: Claim) -> None:
    """Free whatever is held, for the next account on the same job."""
    with database.write() as session:
        session.query(JobRow).filter_by(id=held.job_id).update(
            {"held_calls": 0, "held_micros": 0, "spent_calls": 0, "spent_micros": 0}
        )
        session.query(JobShardRow).update({"held_calls": 0, "held_micros": 0})
        session.execute(delete(TeacherAnswerRow))


@contextmanager
def commit_unheard(database: Database, *, lost: bool = False) -> Iterator[None]:
    """The next commit's answer is lost with its connection; with `lost`, the commit itself."""
    pending = [True]
    write = database.write

    @contextmanager
    def write_once_unheard() -> Iterator[Any]:
        first, pending[0] = pending[0], False
        with write() as session:
            yield session
            if first and lost:
                raise OperationalError("COMMIT", {}, Exception("connection lost"))
        if first:
            raise OperationalError("COMMIT", {}, Exception("connection lost"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "write", write_once_unheard)
        yield
    assert not pending[0]
