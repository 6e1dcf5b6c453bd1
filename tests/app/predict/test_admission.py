"""Who is let in: a bound on waiting, not on a number of requests, and a bound on memory."""

import asyncio
import time
from collections.abc import Sequence

import numpy as np
import pytest

from app.predict.admission import BYTES_A_TEXT, Admission
from app.predict.batcher import Batcher
from app.predict.errors import Overloaded
from app.predict.lanes import Lane
from app.predict.pace import START_SECONDS_A_TOKEN, Pace
from core.config import Settings
from llkd.predictor_tokens import Tokens
from llkd.types import FloatArray
from tests.app.predict.test_batcher import Silent, running, window

TOKEN_SECONDS = 0.001


class Slow:
    """A model that takes a millisecond a token, and says how many batches it answered."""

    def __init__(self) -> None:
        self.batches = 0

    def __call__(self, batch: Sequence[Tokens]) -> FloatArray:
        self.batches += 1
        time.sleep(sum(map(len, batch)) * TOKEN_SECONDS)
        return np.zeros((len(batch), 2))


def make_admission(batcher: Batcher, *, wait: float = 1.0, backlog: int = 10_000_000) -> Admission:
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg] # a developer's own must not decide
        predict_wait_seconds=wait,
        predict_backlog_bytes=backlog,
    )
    return Admission(settings, batcher)


def make_lane(*, token_seconds: float = TOKEN_SECONDS) -> Lane:
    lane = Lane(Silent())
    lane.answer = Slow()
    lane.pace.seconds_a_token = token_seconds
    lane.pace.seconds_a_batch = 80 * token_seconds
    return lane


def is_let_in(admission: Admission, lane: Lane | None, texts: Sequence[str] = ("a",)) -> bool:
    try:
        with admission.admitted(lane, texts):
            return True
    except Overloaded:
        return False


class TestWait:
    def test_requests_are_let_in_while_their_first_batch_comes_in_time(self) -> None:
        async def scenario() -> int:
            async with running(threads=0) as batcher:
                admission, lane = make_admission(batcher), make_lane()
                let_in = 0
                while is_let_in(admission, lane):
                    batcher.add_last(batcher.open(lane), [window(let_in, length=10)])
                    let_in += 1
                return let_in

        # A second of work at 10 ms a text, and the one that goes beyond it.
        assert asyncio.run(scenario()) == 101

    def test_a_large_request_counts_as_one_batch(self) -> None:
        async def scenario() -> None:
            async with running(threads=0) as batcher:
                admission, lane = make_admission(batcher), make_lane()
                batcher.add_last(batcher.open(lane), [window(0, length=10)] * 10_000)
                assert lane.turn_tokens == 80
                assert is_let_in(admission, lane)

        asyncio.run(scenario())

    def test_another_models_work_counts_as_far_as_turns_give_it(self) -> None:
        async def scenario() -> None:
            async with running(threads=0) as batcher:
                admission = make_admission(batcher)
                busy, free = make_lane(), make_lane()
                for number in range(200):
                    batcher.add_last(batcher.open(busy), [window(number, length=10)])
                assert not is_let_in(admission, busy)
                # One batch of the busy one comes before the free one's first.
                assert batcher.ahead_seconds(free, enough=1.0) == pytest.approx(0.08)
                assert is_let_in(admission, free)
                assert is_let_in(admission, None)

        asyncio.run(scenario())

    def test_more_threads_wait_less(self) -> None:
        lane = make_lane()
        batcher = Batcher(threads=0)
        batcher.threads = 4
        batcher.promise(lane, 2000.0)
        assert batcher.ahead_seconds(lane, enough=9.0) == pytest.approx(0.5)

    def test_who_is_being_read_or_waits_for_the_load_counts_too(self) -> None:
        batcher = Batcher(threads=0)
        admission, lane = make_admission(batcher), make_lane()
        with admission.promised(lane, ["x" * 4 * 1200]):
            assert not is_let_in(admission, lane)
        assert is_let_in(admission, lane)

    def test_a_refusal_says_when_to_ask_again(self) -> None:
        batcher = Batcher(threads=0)
        admission, lane = make_admission(batcher), make_lane()
        batcher.promise(lane, 3500.0)
        with pytest.raises(Overloaded) as refused, admission.admitted(lane, ["a"]):
            pass
        assert refused.value.status == 429
        assert refused.value.headers["Retry-After"] == "4"

    def test_a_thousand_refusals_take_milliseconds(self) -> None:
        batcher = Batcher(threads=0)
        admission, lane = make_admission(batcher), make_lane()
        batcher.promise(lane, 5000.0)
        began = time.perf_counter()
        assert not any(is_let_in(admission, lane) for _ in range(1000))
        assert time.perf_counter() - began < 0.5

    def test_goodput_under_overload_is_that_of_the_model(self) -> None:
        async def scenario() -> tuple[int, int, float]:
            async with running() as batcher:
                admission, lane = make_admission(batcher, wait=0.3), make_lane()
                answered = refused = 0
                waits: list[float] = []

                async def ask() -> None:
                    nonlocal answered, refused
                    began = time.perf_counter()
                    try:
                        with admission.admitted(lane, ["a"]):
                            work = batcher.open(lane)
                            batcher.add_last(work, [window(0, length=10)])
                            await work.answer
                    except Overloaded:
                        refused += 1
                    else:
                        answered += 1
                        waits.append(time.perf_counter() - began)

                async with asyncio.TaskGroup() as tasks:
                    # Three times what the model can do: 100 texts a second.
                    for _ in range(60):
                        for _ in range(6):
                            tasks.create_task(ask())
                        await asyncio.sleep(0.02)
                return answered, refused, max(waits)

        answered, refused, longest = asyncio.run(scenario())
        assert answered + refused == 360
        assert refused > 50
        # 1.2 s of work and what still waited then, had the machine been free.
        assert answered >= 60
        # The bound, one batch more, and what a busy machine adds.
        assert longest < 2.0


class TestBacklog:
    def test_more_text_than_may_wait_is_refused(self) -> None:
        admission = make_admission(Batcher(threads=0), backlog=10_000 + 2 * BYTES_A_TEXT)
        with admission.admitted(None, ["x" * 6000]):
            assert not is_let_in(admission, None, ["x" * 4001])
            assert is_let_in(admission, None, ["x" * 4000])
        assert is_let_in(admission, None, ["x" * 4001])

    def test_texts_without_a_character_take_room_too(self) -> None:
        admission = make_admission(Batcher(threads=0), backlog=10_000 * BYTES_A_TEXT)
        with admission.admitted(None, [""] * 6000):
            assert not is_let_in(admission, None, [""] * 4001)
            assert is_let_in(admission, None, [""] * 4000)

    def test_a_request_larger_than_the_bound_is_served_alone(self) -> None:
        admission = make_admission(Batcher(threads=0), backlog=10_000)
        assert is_let_in(admission, None, ["x" * 20_000])
        with admission.admitted(None, ["x"]):
            assert not is_let_in(admission, None, ["x" * 20_000])

    def test_a_place_is_given_back_after_an_error(self) -> None:
        admission = make_admission(Batcher(threads=0), backlog=10_000)
        for _ in range(3):
            with pytest.raises(KeyError), admission.admitted(None, ["x" * 9000]):
                raise KeyError


class TestPace:
    def test_the_first_batches_replace_the_guess(self) -> None:
        pace = Pace()
        for _ in range(10):
            pace.count(seconds=0.1, tokens=10)
        assert pace.seconds_a_token == pytest.approx(0.01, rel=0.15)
        assert pace.seconds_a_batch == pytest.approx(0.1, rel=0.15)

    def test_one_slow_batch_does_not_decide(self) -> None:
        pace = Pace()
        for _ in range(50):
            pace.count(seconds=0.01, tokens=100)
        pace.count(seconds=1.0, tokens=100)
        assert pace.seconds_a_token == pytest.approx(0.0001 + 0.1 * 0.0099, rel=0.1)
        assert START_SECONDS_A_TOKEN > 0
