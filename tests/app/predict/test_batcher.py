"""Who predicts when: neighbours of like length, fair turns, nothing done for those who left."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from threading import Event

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.predict.batcher import Batcher
from app.predict.lanes import Lane, Work
from llkd.predictor import LENGTH_RATIO, LENGTH_STEP, MOST_ROWS, MOST_TOKENS
from llkd.predictor_tokens import Tokens
from llkd.types import FloatArray


class Silent:
    """Counts nothing."""

    def count_wait(self, seconds: float) -> None: ...

    def count_batch(self, *, lengths: Sequence[int], seconds: float) -> None: ...

    def count_answers(self, probabilities: FloatArray, *, unsure: int, truncated: int) -> None: ...


class Gate:
    """A model that waits until it is let through, and remembers its batches by first ids.

    It answers each window with its first id. -1 is a window that it cannot answer.
    """

    def __init__(self, *, is_open: bool = True) -> None:
        self.opened = Event()
        self.entered = Event()
        self.batches: list[list[int]] = []
        if is_open:
            self.opened.set()

    def __call__(self, batch: Sequence[Tokens]) -> FloatArray:
        first = [tokens.ids[0] for tokens in batch]
        self.batches.append(first)
        self.entered.set()
        assert self.opened.wait(10)
        if -1 in first:
            raise ValueError("no such window")
        return np.array([[float(number), 0.0] for number in first])


def make_lane(model: Gate) -> Lane:
    lane = Lane(Silent())
    lane.answer = model
    return lane


def window(name: int, *, length: int = 10) -> Tokens:
    return Tokens((name,) * length, truncated=False)


@asynccontextmanager
async def running(*, threads: int = 1) -> AsyncIterator[Batcher]:
    batcher = Batcher(threads=threads)
    try:
        yield batcher
    finally:
        await asyncio.to_thread(batcher.close)


async def ask(batcher: Batcher, lane: Lane, windows: Sequence[Tokens]) -> list[float]:
    work = batcher.open(lane)
    batcher.add_last(work, windows)
    try:
        await work.answer
    finally:
        batcher.abandon(work)
    return [float(row[0]) for row in work.answers if row is not None]


async def busy(batcher: Batcher, lane: Lane, gate: Gate) -> "asyncio.Task[list[float]]":
    """Occupy the one thread until the gate opens."""
    first = asyncio.create_task(ask(batcher, lane, [window(0)]))
    await asyncio.to_thread(gate.entered.wait, 10)
    return first


class TestNeighbours:
    def test_what_waits_is_answered_together(self) -> None:
        gate = Gate(is_open=False)

        async def scenario() -> None:
            async with running() as batcher:
                lane = make_lane(gate)
                first = await busy(batcher, lane, gate)
                others = [asyncio.create_task(ask(batcher, lane, [window(n)])) for n in (1, 2, 3)]
                await asyncio.sleep(0)
                gate.opened.set()
                assert await asyncio.gather(first, *others) == [[0], [1], [2], [3]]

        asyncio.run(scenario())
        assert gate.batches == [[0], [1, 2, 3]]

    def test_a_free_thread_waits_for_nobody(self) -> None:
        gate = Gate()

        async def scenario() -> float:
            async with running() as batcher:
                lane = make_lane(gate)
                await ask(batcher, lane, [window(1)])
                began = time.perf_counter()
                for number in range(50):
                    await ask(batcher, lane, [window(number)])
                return time.perf_counter() - began

        took = asyncio.run(scenario())
        assert [len(batch) for batch in gate.batches] == [1] * 51
        # The shortest wait that other servers' timers know is a few milliseconds a request.
        assert took < 50 * 0.02

    def test_texts_of_another_length_are_left_for_another_batch(self) -> None:
        gate = Gate(is_open=False)
        lengths = {1: 40, 2: 55, 3: 28, 4: 54, 5: 29, 6: 40}

        async def scenario() -> None:
            async with running() as batcher:
                lane = make_lane(gate)
                first = await busy(batcher, lane, gate)
                others = [
                    asyncio.create_task(ask(batcher, lane, [window(name, length=length)]))
                    for name, length in lengths.items()
                ]
                await asyncio.sleep(0)
                gate.opened.set()
                await asyncio.gather(first, *others)

        asyncio.run(scenario())
        # 54 = 1.25 * 40 + 4, and 40 <= 1.25 * 29 + 4; the nearest come first.
        assert gate.batches == [[0], [1, 6, 5, 4], [2], [3]]

    def test_models_are_not_mixed(self) -> None:
        gates = Gate(is_open=False), Gate()

        async def scenario() -> None:
            async with running() as batcher:
                lanes = [make_lane(gate) for gate in gates]
                first = await busy(batcher, lanes[0], gates[0])
                others = [
                    asyncio.create_task(ask(batcher, lanes[name % 2], [window(name)]))
                    for name in range(1, 7)
                ]
                await asyncio.sleep(0)
                gates[0].opened.set()
                await asyncio.gather(first, *others)

        asyncio.run(scenario())
        assert gates[0].batches == [[0], [2, 4, 6]]
        assert gates[1].batches == [[1, 3, 5]]

    @given(
        st.lists(st.lists(st.integers(1, 3000), min_size=1, max_size=12), min_size=1, max_size=12)
    )
    def test_each_window_is_taken_once_among_its_like(self, requests: list[list[int]]) -> None:
        lane = make_lane(Gate())
        loop = asyncio.new_event_loop()
        works = []
        for lengths in requests:
            work = Work(lane, loop.create_future(), loop)
            lane.add(work, [window(1, length=length) for length in lengths])
            works.append(work)
        loop.close()
        taken = []
        while lane:
            assert lane.turn_tokens > 0
            batch = lane.take()
            own = [len(item.tokens) for item in batch]
            assert len(batch) <= MOST_ROWS
            assert len(batch) == 1 or len(batch) * max(own) <= MOST_TOKENS
            for length in own:
                assert length <= LENGTH_RATIO * own[0] + LENGTH_STEP
                assert own[0] <= LENGTH_RATIO * length + LENGTH_STEP
            taken += [(item.work, item.place) for item in batch]
        expected = [(work, place) for work in works for place in range(len(work.answers))]
        assert len(taken) == len(expected)
        assert set(taken) == set(expected)
        assert lane.turn_tokens == 0


class TestFairness:
    def test_one_text_waits_behind_one_batch_of_a_large_request(self) -> None:
        gate = Gate(is_open=False)

        async def scenario() -> None:
            async with running() as batcher:
                lane = make_lane(gate)
                large = asyncio.create_task(ask(batcher, lane, [window(0)] * 10_000))
                await asyncio.to_thread(gate.entered.wait, 10)
                # Of another length, so that it cannot go along with the large one's texts.
                small = asyncio.create_task(ask(batcher, lane, [window(1, length=30)]))
                await asyncio.sleep(0)
                gate.opened.set()
                assert await small == [1]
                place = gate.batches.index([1])
                assert place <= 2
                await large

        asyncio.run(scenario())

    def test_a_text_of_like_length_goes_along_with_a_large_request(self) -> None:
        gate = Gate(is_open=False)

        async def scenario() -> None:
            async with running() as batcher:
                lane = make_lane(gate)
                large = asyncio.create_task(ask(batcher, lane, [window(0)] * 80))
                await asyncio.to_thread(gate.entered.wait, 10)
                small = [asyncio.create_task(ask(batcher, lane, [window(n)])) for n in (1, 2)]
                await asyncio.sleep(0)
                gate.opened.set()
                await asyncio.gather(large, *small)

        asyncio.run(scenario())
        assert {1, 2} <= set(gate.batches[1])

    def test_a_busy_model_lets_another_have_its_turn(self) -> None:
        gate = Gate(is_open=False)

        async def scenario() -> None:
            async with running() as batcher:
                busy_lane, other_lane = make_lane(gate), make_lane(gate)
                large = asyncio.create_task(ask(batcher, busy_lane, [window(0)] * 800))
                await asyncio.to_thread(gate.entered.wait, 10)
                small = asyncio.create_task(ask(batcher, other_lane, [window(1)]))
                await asyncio.sleep(0)
                gate.opened.set()
                await asyncio.gather(large, small)

        asyncio.run(scenario())
        assert gate.batches.index([1]) <= 2

    def test_threads_work_side_by_side_on_one_request(self) -> None:
        gate = Gate(is_open=False)

        async def scenario() -> None:
            async with running(threads=2) as batcher:
                lane = make_lane(gate)
                both = asyncio.create_task(ask(batcher, lane, [window(0)] * 16))
                while len(gate.batches) < 2:
                    await asyncio.sleep(0.001)
                gate.opened.set()
                await both

        asyncio.run(asyncio.wait_for(scenario(), 10))


class TestAnswers:
    def test_rows_come_in_the_order_of_the_windows(self) -> None:
        windows = [window(number, length=1 + number * 7 % 90) for number in range(300)]

        async def scenario() -> list[float]:
            async with running(threads=2) as batcher:
                return await ask(batcher, make_lane(Gate()), windows)

        assert asyncio.run(scenario()) == list(range(300))

    def test_windows_may_come_in_pieces_and_are_answered_meanwhile(self) -> None:
        async def scenario() -> list[FloatArray | None]:
            async with running() as batcher:
                work = batcher.open(make_lane(Gate()))
                batcher.add(work, [window(1)])
                while work.answers[0] is None:
                    await asyncio.sleep(0.001)
                assert not work.answer.done()
                batcher.add_last(work, [window(2)])
                await work.answer
                return work.answers

        rows = asyncio.run(asyncio.wait_for(scenario(), 10))
        assert [row[0] for row in rows if row is not None] == [1, 2]

    def test_a_failure_belongs_to_its_request_alone(self) -> None:
        gate = Gate(is_open=False)

        async def scenario() -> list[object]:
            async with running() as batcher:
                lane = make_lane(gate)
                first = await busy(batcher, lane, gate)
                others = [asyncio.create_task(ask(batcher, lane, [window(n)])) for n in (1, -1, 2)]
                await asyncio.sleep(0)
                gate.opened.set()
                await first
                return list(await asyncio.gather(*others, return_exceptions=True))

        good, bad, better = asyncio.run(scenario())
        assert (good, better) == ([1], [2])
        assert isinstance(bad, ValueError)
        assert gate.batches[1] == [1, -1, 2]


class TestLeaving:
    def test_what_nobody_waits_for_is_not_done(self) -> None:
        gate = Gate(is_open=False)

        async def scenario() -> None:
            async with running() as batcher:
                lane = make_lane(gate)
                first = await busy(batcher, lane, gate)
                left = asyncio.create_task(ask(batcher, lane, [window(1)] * 50))
                last = asyncio.create_task(ask(batcher, lane, [window(2)]))
                await asyncio.sleep(0)
                waited = lane.turn_tokens
                left.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await left
                # At once, not when its turn would have come.
                assert lane.turn_tokens == waited - MOST_ROWS * 10
                assert lane.requests == 1
                gate.opened.set()
                await asyncio.gather(first, last)

        asyncio.run(scenario())
        assert gate.batches == [[0], [2]]

    def test_the_rest_of_a_request_that_left_is_skipped(self) -> None:
        gate = Gate(is_open=False)

        async def scenario() -> None:
            async with running() as batcher:
                lane = make_lane(gate)
                large = asyncio.create_task(ask(batcher, lane, [window(0)] * 400))
                await asyncio.to_thread(gate.entered.wait, 10)
                large.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await large
                gate.opened.set()
                await ask(batcher, lane, [window(1)])

        asyncio.run(scenario())
        assert gate.batches == [[0] * MOST_ROWS, [1]]
