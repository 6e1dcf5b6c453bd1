"""What may be asked at prediction: caps that hold, on both databases."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import update

from core.db.base import db_now
from core.db.repositories.deferrals import DeferralRepository, Hold
from core.db.repositories.models import ModelRepository
from core.db.session import Database
from core.db.tables import ModelDeferralRow
from core.ids import ModelId, TenantId
from tests.factories import TENANT, make_job, make_model

OTHER = TenantId("other")


@pytest.fixture
def model(database: Database) -> ModelId:
    with database.write() as session:
        job = make_job(session)
        make_model(session, job, "0" * 64)
        row = ModelRepository(session).by_job(job.id)
        assert row is not None
        return row.id


def switch_on(database: Database, model: ModelId, **caps: int | None) -> None:
    with database.write() as session:
        DeferralRepository(session).switch_on(
            TENANT, model, **{"cap_micros": None, "cap_calls": None} | caps
        )


def hold(database: Database, model: ModelId, *, micros: int = 10, seconds: float = 60) -> Any:
    with database.write() as session:
        return DeferralRepository(session).hold(TENANT, model, micros=micros, seconds=seconds)


def settle(database: Database, held: Hold, *, micros: int) -> bool:
    with database.write() as session:
        return DeferralRepository(session).settle(held, micros=micros)


def figures(database: Database, model: ModelId) -> tuple[int, int, int, int]:
    """Spent and held micros, spent and held calls."""
    with database.read() as session:
        row = DeferralRepository(session).get(TENANT, model)
    assert row is not None
    return row.spent_micros, row.held_micros, row.spent_calls, row.held_calls


def let_holds_run_out(database: Database) -> None:
    with database.write() as session:
        session.execute(update(ModelDeferralRow).values(held_until=db_now(-1)))


class TestCaps:
    def test_nothing_is_held_before_it_is_switched_on(
        self, database: Database, model: ModelId
    ) -> None:
        assert hold(database, model) is None

    def test_a_call_is_held_and_then_spent(self, database: Database, model: ModelId) -> None:
        switch_on(database, model, cap_micros=100)
        held = hold(database, model, micros=60)
        assert figures(database, model) == (0, 60, 0, 1)
        assert settle(database, held, micros=7)
        assert figures(database, model) == (7, 0, 1, 0)

    def test_exactly_the_cap_may_be_held(self, database: Database, model: ModelId) -> None:
        switch_on(database, model, cap_micros=100)
        assert hold(database, model, micros=101) is None
        assert hold(database, model, micros=100) is not None
        assert hold(database, model, micros=0) is not None
        assert hold(database, model, micros=1) is None

    def test_calls_have_a_cap_of_their_own(self, database: Database, model: ModelId) -> None:
        switch_on(database, model, cap_calls=2)
        assert settle(database, hold(database, model), micros=10)
        assert hold(database, model) is not None
        assert hold(database, model) is None

    def test_what_cost_nothing_is_free_again(self, database: Database, model: ModelId) -> None:
        switch_on(database, model, cap_calls=1)
        held = hold(database, model)
        with database.write() as session:
            assert DeferralRepository(session).release(held)
        assert figures(database, model) == (0, 0, 0, 0)
        assert hold(database, model) is not None

    def test_new_caps_keep_what_is_spent(self, database: Database, model: ModelId) -> None:
        switch_on(database, model, cap_calls=1)
        assert settle(database, hold(database, model), micros=10)
        switch_on(database, model, cap_micros=15)
        assert figures(database, model) == (10, 0, 1, 0)
        assert hold(database, model, micros=6) is None
        assert hold(database, model, micros=5) is not None

    def test_another_tenant_spends_nothing(self, database: Database, model: ModelId) -> None:
        switch_on(database, model)
        with database.write() as session:
            deferrals = DeferralRepository(session)
            assert deferrals.hold(OTHER, model, micros=1, seconds=60) is None
            assert deferrals.get(OTHER, model) is None
            assert not deferrals.switch_off(OTHER, model)
        assert figures(database, model) == (0, 0, 0, 0)


class TestWhatADeadProcessHeld:
    def test_counts_against_the_cap_at_once(self, database: Database, model: ModelId) -> None:
        switch_on(database, model, cap_calls=1)
        hold(database, model)
        let_holds_run_out(database)
        assert hold(database, model) is None

    def test_is_spent_by_the_next_hold(self, database: Database, model: ModelId) -> None:
        switch_on(database, model, cap_calls=3)
        hold(database, model, micros=30)
        let_holds_run_out(database)
        hold(database, model, micros=4)
        assert figures(database, model) == (30, 4, 1, 1)

    def test_stays_held_while_calls_follow_each_other_and_leaves_the_same_room(
        self, database: Database, model: ModelId
    ) -> None:
        switch_on(database, model, cap_micros=100)
        hold(database, model, micros=60)
        for spent in (10, 20, 30):
            assert settle(database, hold(database, model, micros=20), micros=10)
            assert figures(database, model)[:2] == (spent, 60)
        assert hold(database, model, micros=20) is None

    def test_is_told_as_held_when_no_room_is_left_for_another_call(
        self, database: Database, model: ModelId
    ) -> None:
        switch_on(database, model, cap_micros=100)
        hold(database, model, micros=60)
        let_holds_run_out(database)
        assert hold(database, model, micros=50) is None
        assert figures(database, model)[:2] == (0, 60)

    def test_is_not_settled_twice_by_one_who_was_only_late(
        self, database: Database, model: ModelId
    ) -> None:
        switch_on(database, model)
        late = hold(database, model, micros=30)
        let_holds_run_out(database)
        hold(database, model, micros=4)
        assert not settle(database, late, micros=20)
        assert figures(database, model) == (30, 4, 1, 1)

    def test_a_shorter_hold_does_not_end_a_longer_one(
        self, database: Database, model: ModelId
    ) -> None:
        switch_on(database, model)
        long = hold(database, model, micros=30, seconds=600)
        hold(database, model, micros=4, seconds=-10)
        hold(database, model, micros=4)
        assert settle(database, long, micros=30)
        assert figures(database, model) == (30, 8, 1, 2)

    def test_nothing_is_settled_in_a_later_budget(self, database: Database, model: ModelId) -> None:
        switch_on(database, model)
        held = hold(database, model)
        with database.write() as session:
            assert DeferralRepository(session).switch_off(TENANT, model)
        switch_on(database, model)
        assert not settle(database, held, micros=10)
        assert figures(database, model) == (0, 0, 0, 0)


class TestManySpenders:
    SPENDERS, TRIES, CAP = 8, 20, 57

    @pytest.mark.parametrize("cap", [{"cap_calls": CAP}, {"cap_micros": CAP * 10}])
    def test_never_pass_the_cap_and_use_all_of_it(
        self, database: Database, model: ModelId, cap: dict[str, int]
    ) -> None:
        switch_on(database, model, **cap)
        together = threading.Barrier(self.SPENDERS)

        def spend() -> int:
            # As another process has it: connections of its own.
            own = Database(database.url)
            together.wait(timeout=60)
            spent = 0
            for _ in range(self.TRIES):
                held = hold(own, model, micros=10)
                most = figures(own, model)
                assert most[0] + most[1] <= self.CAP * 10
                assert most[2] + most[3] <= self.CAP
                spent += held is not None and settle(own, held, micros=10)
            own.dispose()
            return spent

        with ThreadPoolExecutor(self.SPENDERS) as pool:
            spenders = [pool.submit(spend) for _ in range(self.SPENDERS)]
            made = sum(spender.result() for spender in spenders)
        assert made == self.CAP
        assert figures(database, model) == (self.CAP * 10, 0, self.CAP, 0)
