"""Every order of the steps of a few processes, on the engine's own statements."""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import ColumnElement, and_, true
from sqlalchemy.exc import IntegrityError

from core.db.repositories import moves
from core.db.repositories.claims import Claim
from core.db.repositories.engine import EngineRepository, Reaped
from core.db.session import Database
from core.db.tables import JobRow
from core.ids import JobId
from core.lifecycle import JobState
from tests.core.engine.explorer import Explorer, Violation, Walk
from tests.core.engine.one_job_world import PRICE, OneJobWorld
from tests.factories import make_job

Programs = Mapping[str, Sequence[str]]

# A worker is stopped past its lease, another takes over, the first one wakes up.
TAKE_OVER: Programs = {
    "worker A": ("claim", "beat", "write", "finish"),
    "worker B": ("claim", "beat", "finish"),
    "reaper 1": ("look", "take"),
    "reaper 2": ("look", "take"),
    "clock": ("expire", "expire"),
    "user": ("cancel",),
}
# A call in flight when its worker is lost may have been billed.
MONEY: Programs = {
    "worker A": ("claim", "reserve", "reserve", "settle", "settle", "finish"),
    "worker B": ("claim", "reserve", "settle", "reserve"),
    "reaper 1": ("look", "take"),
    "reaper 2": ("look", "take"),
    "clock": ("expire", "expire"),
}
# Hand-overs that need no reaper, while one and a deadline are at work.
DRAIN: Programs = {
    "worker A": ("claim", "write", "release"),
    "worker B": ("claim", "write", "crash"),
    "worker C": ("claim", "beat", "finish", "finish"),
    "reaper": ("look", "take"),
    "clock": ("expire", "run_late"),
    "user": ("cancel",),
}
SCENARIOS = {"take over": TAKE_OVER, "money": MONEY, "drain": DRAIN}


def walk(database: Database, programs: Programs) -> Walk:
    with database.write() as session:
        job = make_job(session, cap_calls=3, cap_micros=3 * PRICE)
        session.expunge_all()
        world = OneJobWorld(session, job, list(programs))
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


def fence_without_attempt(claim: Claim) -> ColumnElement[bool]:
    return and_(JobRow.id == claim.job_id, JobRow.state == JobState.RUNNING)


def fence_without_state(claim: Claim) -> ColumnElement[bool]:
    return and_(JobRow.id == claim.job_id, JobRow.attempt == claim.attempt)


def anything() -> ColumnElement[bool]:
    return true()


def forget_what_is_held() -> dict[str, Any]:
    return {"held_calls": 0, "held_micros": 0}


def any_spending(*, calls: int, micros: int) -> ColumnElement[bool]:
    return true()


class TestABrokenEngineIsCaught:
    """The walk is only as good as what it finds: each guard, taken away, breaks a promise."""

    @pytest.mark.parametrize("name", SCENARIOS)
    def test_no_fence(
        self, name: str, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(moves, "held_by", fence_without_attempt)
        with pytest.raises(Violation, match=r"a ghost's \w+ was accepted"):
            walk(sqlite_database, SCENARIOS[name])

    def test_a_fence_that_forgets_the_state(
        self, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(moves, "held_by", fence_without_state)
        with pytest.raises((Violation, IntegrityError), match=r"a ghost's|running_has_lease"):
            walk(sqlite_database, TAKE_OVER)

    def test_a_reaper_that_goes_by_id_only(
        self, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        take_back = EngineRepository.take_back

        def by_id_only(engine: EngineRepository, candidates: Sequence[JobId]) -> list[Reaped]:
            with monkeypatch.context() as patch:
                patch.setattr(moves, "lease_is_over", anything)
                return take_back(engine, candidates)

        monkeypatch.setattr(EngineRepository, "take_back", by_id_only)
        with pytest.raises(Violation, match=r"was reaped|a living worker lost its job|that had"):
            walk(sqlite_database, TAKE_OVER)

    def test_a_claim_that_ignores_the_state(
        self, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(moves, "is_queued", anything)
        with pytest.raises((Violation, IntegrityError)):
            walk(sqlite_database, TAKE_OVER)

    def test_a_claim_that_forgets_what_was_held(
        self, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(moves, "held_becomes_spent", forget_what_is_held)
        with pytest.raises(Violation, match=r"calls, \d spent, \d held"):
            walk(sqlite_database, MONEY)

    def test_a_cap_that_is_not_compared(
        self, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(moves, "within_cap", any_spending)
        with pytest.raises(Violation, match="the cap was passed"):
            walk(sqlite_database, MONEY)
