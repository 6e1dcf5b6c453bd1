"""Who is let through when a model's caps are short, and who waits for a payment."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from app.predict.deferral.purse import Purse
from core.db.repositories.deferrals import Hold
from core.ids import new_model_id

MODEL = new_model_id()
GIVEN = datetime(2026, 7, 1, tzinfo=UTC)


class Caps:
    """A purse under a cap in money; `asked` has what was tried, in order."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.asked: list[int] = []
        self.purse = Purse()

    async def take(self, micros: int) -> bool:
        async def hold() -> Hold | None:
            self.asked.append(micros)
            has_room = micros <= self.room
            await asyncio.sleep(0)
            if not has_room:
                return None
            self.room -= micros
            return Hold(MODEL, micros, "fence")

        async with asyncio.timeout(10):
            return await self.purse.take(hold, micros=micros) is not None

    def pay(self, micros: int, *, spent: int) -> None:
        self.room += micros - spent
        self.purse.paid()


@pytest.fixture(autouse=True)
def _long_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.predict.deferral.purse.BROKE_S", 3600.0)


class TestPurse:
    def test_what_was_refused_stands_in_the_way_of_as_much_or_more_alone(self) -> None:
        async def scenario() -> list[int]:
            caps = Caps(10)
            assert [await caps.take(micros) for micros in (50, 60, 50, 40, 45)] == [False] * 5
            assert await caps.take(4)
            return caps.asked

        assert asyncio.run(scenario()) == [50, 40, 4]

    def test_less_is_held_while_more_waits(self) -> None:
        async def scenario() -> list[int]:
            caps = Caps(10)
            assert await caps.take(6)
            waiting = [asyncio.create_task(caps.take(micros)) for micros in (9, 9, 12)]
            await asyncio.sleep(0.01)
            assert await caps.take(4)
            caps.pay(6, spent=1)
            caps.pay(4, spent=0)
            async with asyncio.timeout(10):
                await waiting[0]
            caps.pay(9, spent=1)
            assert await asyncio.gather(*waiting) == [True, False, False]
            return caps.asked

        # Each payment lets the least that waits ask once more, and the others only after it.
        assert asyncio.run(scenario()).count(12) <= 2

    def test_a_payment_during_the_question_is_not_missed(self) -> None:
        async def scenario() -> None:
            caps = Caps(10)
            assert await caps.take(10)
            waiting = asyncio.create_task(caps.take(8))
            while 8 not in caps.asked:
                await asyncio.sleep(0)
            # The database has found no room by now, and not yet said so.
            caps.pay(10, spent=1)
            assert await waiting

        asyncio.run(scenario())

    def test_new_caps_are_tried_at_once(self) -> None:
        async def scenario() -> None:
            caps = Caps(0)
            caps.purse.under_caps_of(GIVEN)
            assert not await caps.take(5)
            caps.room = 10
            caps.purse.under_caps_of(GIVEN)
            assert not await caps.take(5)
            caps.purse.under_caps_of(GIVEN + timedelta(seconds=1))
            assert await caps.take(5)

        asyncio.run(scenario())
