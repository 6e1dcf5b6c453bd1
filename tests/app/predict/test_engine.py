"""Who predicts when: fair turns, a limit on who may wait, nothing done for those who left."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from threading import Event

import numpy as np
import pytest

from app.predict.engine import TEXTS_A_TURN, Classify, PredictEngine
from app.predict.errors import Overloaded
from app.predict.names import ModelRef
from core.ids import ModelId
from llkd.types import Classified

MODEL = ModelRef(ModelId("model_01JZ8Q4ZK3V9W2T5R7X1M6N0PD"), "0" * 64)


class Gate:
    """A predictor that waits until it is let through, and remembers what it was given."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.opened = Event()
        self.entered = Event()
        self.turns: list[str] = []
        if is_open:
            self.opened.set()

    def __call__(self, _: ModelRef, texts: Sequence[str]) -> Classified:
        self.turns.append(texts[0])
        self.entered.set()
        assert self.opened.wait(10)
        if texts[0] == "bad":
            raise ValueError("no such text")
        numbers = np.array([[float(len(text)), 0.0] for text in texts])
        return Classified(numbers, np.zeros(len(texts), dtype=np.bool_), tokens=len(texts))


@asynccontextmanager
async def running(
    classify: Classify, *, threads: int = 1, queue: int = 10
) -> AsyncIterator[PredictEngine]:
    engine = PredictEngine(classify, threads=threads, queue=queue)
    try:
        yield engine
    finally:
        await asyncio.to_thread(engine.close)


class TestClassify:
    def test_turns_are_put_together_in_order(self) -> None:
        async def scenario() -> Classified:
            async with running(Gate()) as engine:
                return await engine.classify(MODEL, ["x" * n for n in range(300)])

        answer = asyncio.run(scenario())
        assert answer.probabilities[:, 0].tolist() == list(range(300))
        assert answer.truncated.shape == (300,)
        assert answer.tokens == 300

    def test_a_long_request_lets_a_short_one_in(self) -> None:
        gate = Gate(is_open=False)

        async def scenario() -> None:
            async with running(gate) as engine:
                long = asyncio.create_task(engine.classify(MODEL, ["long"] * TEXTS_A_TURN * 5))
                await asyncio.to_thread(gate.entered.wait, 10)
                short = asyncio.create_task(engine.classify(MODEL, ["short"]))
                await asyncio.sleep(0)
                gate.opened.set()
                await asyncio.gather(long, short)

        asyncio.run(scenario())
        assert gate.turns == ["long", "short", "long", "long", "long", "long"]

    def test_what_nobody_waits_for_is_not_done(self) -> None:
        gate = Gate(is_open=False)

        async def scenario() -> None:
            async with running(gate) as engine:
                first = asyncio.create_task(engine.classify(MODEL, ["first"]))
                await asyncio.to_thread(gate.entered.wait, 10)
                left = asyncio.create_task(engine.classify(MODEL, ["left"]))
                last = asyncio.create_task(engine.classify(MODEL, ["last"]))
                await asyncio.sleep(0)
                left.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await left
                gate.opened.set()
                await asyncio.gather(first, last)

        asyncio.run(scenario())
        assert gate.turns == ["first", "last"]

    def test_the_rest_of_a_request_that_left_is_skipped(self) -> None:
        gate = Gate(is_open=False)

        async def scenario() -> None:
            async with running(gate) as engine:
                long = asyncio.create_task(engine.classify(MODEL, ["long"] * TEXTS_A_TURN * 50))
                await asyncio.to_thread(gate.entered.wait, 10)
                long.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await long
                gate.opened.set()
                await engine.classify(MODEL, ["after"])

        asyncio.run(scenario())
        assert gate.turns == ["long", "after"]

    def test_a_failure_belongs_to_its_request_alone(self) -> None:
        async def scenario() -> Classified:
            async with running(Gate()) as engine:
                with pytest.raises(ValueError, match="no such text"):
                    await engine.classify(MODEL, ["bad"])
                return await engine.classify(MODEL, ["good"])

        assert asyncio.run(scenario()).tokens == 1

    def test_threads_work_side_by_side(self) -> None:
        gate = Gate(is_open=False)

        async def scenario() -> None:
            async with running(gate, threads=2) as engine:
                both = [asyncio.create_task(engine.classify(MODEL, [name])) for name in "ab"]
                while len(gate.turns) < 2:
                    await asyncio.sleep(0.001)
                gate.opened.set()
                await asyncio.gather(*both)

        asyncio.run(asyncio.wait_for(scenario(), 10))


class TestAdmission:
    def test_one_more_than_may_wait_is_refused_at_once(self) -> None:
        async def scenario() -> None:
            async with running(Gate(), threads=1, queue=2) as engine:
                with engine.admitted(), engine.admitted(), engine.admitted():
                    with pytest.raises(Overloaded) as refused, engine.admitted():
                        pass
                    assert refused.value.headers["Retry-After"] == "1"
                with engine.admitted():
                    pass

        asyncio.run(scenario())

    def test_a_place_is_given_back_after_an_error(self) -> None:
        async def scenario() -> None:
            async with running(Gate(), threads=1, queue=0) as engine:
                for _ in range(3):
                    with pytest.raises(KeyError), engine.admitted():
                        raise KeyError
                with engine.admitted():
                    pass

        asyncio.run(scenario())
