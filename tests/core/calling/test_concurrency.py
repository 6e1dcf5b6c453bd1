"""The limit finds what a server bears, and a slot is never lost or jumped to."""

import asyncio

import pytest

from core.calling.concurrency import FIRST_LIMIT, AdaptiveLimit
from tests.core.calling.virtual_time import now, run


async def window(limit: AdaptiveLimit, *, calls: int | None = None) -> None:
    """So many calls at once, all of them answered; by default as many as the limit is."""
    rounds = [await limit.acquire() for _ in range(calls or limit.limit)]
    for number in rounds:
        limit.succeed(number)
        limit.release()


async def limit_at(value: int, *, cap: int = 64) -> AdaptiveLimit:
    limit = AdaptiveLimit(cap=cap)
    while limit.limit > value:
        limit.overload(await limit.acquire())
        limit.release()
    while limit.limit < value:
        await window(limit)
    return limit


class TestTheLimit:
    def test_begins_low_and_within_its_cap(self) -> None:
        assert AdaptiveLimit(cap=64).limit == FIRST_LIMIT
        assert AdaptiveLimit(cap=3).limit == 3

    def test_rises_by_one_with_a_window_of_successes(self) -> None:
        async def scenario() -> list[int]:
            limit = AdaptiveLimit(cap=64)
            seen = []
            for _ in range(3):
                await window(limit)
                seen.append(limit.limit)
            return seen

        assert run(scenario()) == [FIRST_LIMIT + 1, FIRST_LIMIT + 2, FIRST_LIMIT + 3]

    def test_does_not_rise_one_success_earlier(self) -> None:
        async def scenario() -> int:
            limit = AdaptiveLimit(cap=64)
            rounds = [await limit.acquire() for _ in range(FIRST_LIMIT)]
            for number in rounds[:-1]:
                limit.succeed(number)
            return limit.limit

        assert run(scenario()) == FIRST_LIMIT

    def test_does_not_rise_where_it_was_not_tried(self) -> None:
        async def scenario() -> int:
            limit = AdaptiveLimit(cap=64)
            for _ in range(100):
                await window(limit, calls=FIRST_LIMIT - 1)
            return limit.limit

        assert run(scenario()) == FIRST_LIMIT

    def test_never_passes_its_cap(self) -> None:
        async def scenario() -> int:
            limit = AdaptiveLimit(cap=10)
            for _ in range(20):
                await window(limit)
            return limit.limit

        assert run(scenario()) == 10

    @pytest.mark.parametrize(("before", "after"), [(9, 4), (8, 4), (2, 1), (1, 1)])
    def test_halves_on_overload_down_to_one(self, before: int, after: int) -> None:
        async def scenario() -> int:
            limit = await limit_at(before)
            limit.overload(await limit.acquire())
            return limit.limit

        assert run(scenario()) == after

    def test_halves_once_for_all_that_were_in_flight_together(self) -> None:
        async def scenario() -> tuple[int, int]:
            limit = await limit_at(16)
            rounds = [await limit.acquire() for _ in range(16)]
            for number in rounds:
                limit.overload(number)
                limit.release()
            once = limit.limit
            limit.overload(await limit.acquire())
            return once, limit.limit

        assert run(scenario()) == (8, 4)

    def test_does_not_rise_by_successes_from_before_a_cut(self) -> None:
        async def scenario() -> int:
            limit = await limit_at(16)
            rounds = [await limit.acquire() for _ in range(16)]
            limit.overload(rounds[0])
            for number in rounds[1:]:
                limit.succeed(number)
                limit.release()
            return limit.limit

        assert run(scenario()) == 8


class TestTheLine:
    def test_is_first_come_first_served(self) -> None:
        async def scenario() -> list[int]:
            limit, served = await limit_at(2), []

            async def one(number: int) -> None:
                await limit.acquire()
                served.append(number)
                await asyncio.sleep(1)
                limit.release()

            await asyncio.gather(*(one(number) for number in range(9)))
            return served

        assert run(scenario()) == list(range(9))

    def test_lets_no_newcomer_in_before_those_who_wait(self) -> None:
        async def scenario() -> list[str]:
            limit, served = await limit_at(1), []

            async def one(name: str) -> None:
                await limit.acquire()
                served.append(name)

            await limit.acquire()
            waiting = asyncio.ensure_future(one("first"))
            await asyncio.sleep(0)
            limit.release()
            # The slot is free and the first in line has not run yet.
            newcomer = asyncio.ensure_future(one("newcomer"))
            await waiting
            limit.release()
            await newcomer
            return served

        assert run(scenario()) == ["first", "newcomer"]

    def test_is_never_longer_in_flight_than_the_limit(self) -> None:
        async def scenario() -> int:
            limit, most = await limit_at(5, cap=5), 0

            async def one() -> None:
                nonlocal most
                number = await limit.acquire()
                most = max(most, limit.in_flight)
                await asyncio.sleep(1)
                limit.succeed(number)
                limit.release()

            await asyncio.gather(*(one() for _ in range(50)))
            assert limit.in_flight == 0
            assert now() == 10
            return most

        assert run(scenario()) == 5

    def test_moves_on_when_the_limit_rises(self) -> None:
        async def scenario() -> bool:
            limit = await limit_at(1)
            number = await limit.acquire()
            waiting = asyncio.ensure_future(limit.acquire())
            await asyncio.sleep(0)
            limit.succeed(number)
            await asyncio.sleep(0)
            return waiting.done()

        assert run(scenario())


class TestLeaving:
    def test_the_line_takes_no_slot(self) -> None:
        async def scenario() -> int:
            limit = await limit_at(1)
            await limit.acquire()
            waiting = [asyncio.ensure_future(limit.acquire()) for _ in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            waiting[1].cancel()
            await asyncio.sleep(0)
            limit.release()
            await waiting[2]
            return limit.in_flight

        assert run(scenario()) == 1

    def test_in_the_moment_of_being_served_passes_the_slot_on(self) -> None:
        async def scenario() -> int:
            limit = await limit_at(1)
            await limit.acquire()
            first, second = (asyncio.ensure_future(limit.acquire()) for _ in range(2))
            await asyncio.sleep(0)
            limit.release()
            first.cancel()
            await second
            assert first.cancelled()
            limit.release()
            return limit.in_flight

        assert run(scenario()) == 0


class TestLettingAllIn:
    def test_serves_everyone_at_once(self) -> None:
        async def scenario() -> int:
            limit = await limit_at(1)
            await limit.acquire()
            waiting = [asyncio.ensure_future(limit.acquire()) for _ in range(30)]
            await asyncio.sleep(0)
            limit.let_all_in()
            await asyncio.gather(*waiting)
            for _ in range(31):
                limit.release()
            return limit.in_flight

        assert run(scenario()) == 0
