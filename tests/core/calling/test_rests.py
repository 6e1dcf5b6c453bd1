"""A sleep ends when it is over, when all are woken, or when its sleeper leaves."""

import asyncio

import pytest

from core.calling.rests import Rests
from tests.core.calling.virtual_time import now, run


class Over(Exception):
    """There is nothing left to wait for."""


class TestARest:
    def test_lasts_as_long_as_it_is_asked_for(self) -> None:
        async def scenario() -> float:
            await Rests(asyncio.sleep, check=lambda: None).rest(7)
            return now()

        assert run(scenario()) == 7

    def test_does_not_begin_when_all_is_over(self) -> None:
        def check() -> None:
            raise Over

        async def scenario() -> float:
            with pytest.raises(Over):
                await Rests(asyncio.sleep, check=check).rest(7)
            return now()

        assert run(scenario()) == 0

    def test_that_is_ended_tells_why_at_once(self) -> None:
        over: list[Over] = []

        def check() -> None:
            if over:
                raise over[0]

        async def scenario() -> float:
            rests = Rests(asyncio.sleep, check=check)
            sleepers = [asyncio.ensure_future(rests.rest(600)) for _ in range(3)]
            await asyncio.sleep(2)
            over.append(Over())
            rests.wake()
            ended = await asyncio.gather(*sleepers, return_exceptions=True)
            assert [type(end) for end in ended] == [Over] * 3
            return now()

        assert run(scenario()) == 2

    def test_that_is_cancelled_leaves_no_sleep_behind(self) -> None:
        async def scenario() -> int:
            rests = Rests(asyncio.sleep, check=lambda: None)
            sleeper = asyncio.ensure_future(rests.rest(600))
            await asyncio.sleep(1)
            sleeper.cancel()
            await asyncio.gather(sleeper, return_exceptions=True)
            await asyncio.sleep(0)
            return len(asyncio.all_tasks())

        # This scenario itself is the one that is left.
        assert run(scenario()) == 1
