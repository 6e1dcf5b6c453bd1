"""Reserving before a call and settling after it, on both databases."""

import pytest

from core.db.repositories.engine import Claim, EngineRepository, GhostWorker
from core.db.session import Database
from tests.core.engine.rows import given_running, read_job


class TestBudget:
    def reserve(self, database: Database, held: Claim, *, calls: int, micros: int) -> bool:
        with database.write() as session:
            return EngineRepository(session).reserve(held, calls=calls, micros=micros)

    def settle(self, database: Database, held: Claim, **given: int) -> bool:
        with database.write() as session:
            return EngineRepository(session).settle(held, **given)

    def test_without_a_cap_everything_may_be_spent(self, database: Database) -> None:
        held = given_running(database)
        assert self.reserve(database, held, calls=10**6, micros=10**12)
        assert read_job(database, held.job_id).held_micros == 10**12

    def test_exactly_the_cap_may_be_spent(self, database: Database) -> None:
        held = given_running(database, cap_micros=100, spent_micros=50, held_micros=20)
        assert not self.reserve(database, held, calls=1, micros=31)
        assert self.reserve(database, held, calls=1, micros=30)
        assert not self.reserve(database, held, calls=1, micros=1)

    def test_calls_have_a_cap_of_their_own(self, database: Database) -> None:
        held = given_running(database, cap_calls=2, cap_micros=1000)
        assert not self.reserve(database, held, calls=3, micros=0)
        assert self.reserve(database, held, calls=2, micros=0)
        assert not self.reserve(database, held, calls=1, micros=0)
        assert read_job(database, held.job_id).held_calls == 2

    def test_settling_frees_what_was_not_spent(self, database: Database) -> None:
        held = given_running(database, cap_micros=100)
        assert self.reserve(database, held, calls=1, micros=100)
        assert self.settle(database, held, calls=1, held_micros=100, spent_micros=30)
        job = read_job(database, held.job_id)
        assert (job.spent_micros, job.held_micros) == (30, 0)
        assert (job.spent_calls, job.held_calls) == (1, 0)
        assert self.reserve(database, held, calls=1, micros=70)

    def test_a_ghost_reserves_nothing(self, database: Database) -> None:
        held = given_running(database, attempt=2)
        with pytest.raises(GhostWorker):
            self.reserve(database, Claim(held.job_id, 1), calls=1, micros=1)

    def test_a_ghost_settles_nothing_but_is_not_stopped(self, database: Database) -> None:
        """Its answers are paid and must be stored; its hold was counted by the next claim."""
        held = given_running(database, attempt=2, spent_calls=1)
        ghost = Claim(held.job_id, 1)
        assert not self.settle(database, ghost, calls=1, held_micros=0, spent_micros=0)
        assert read_job(database, held.job_id).spent_calls == 1
