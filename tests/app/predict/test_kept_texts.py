"""The buffer of unsure texts: bounded, off the request's path, and emptied at the end."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from prometheus_client import REGISTRY
from sqlalchemy.exc import OperationalError

from app.predict import kept_texts
from app.predict.answered import Answered
from app.predict.kept_texts import TextKeeper
from app.predict.names import ModelRef
from app.predict.reading import Reading
from core.db.repositories.kept_texts import KeptReason, UnsureText
from core.ids import ModelId

MODEL = ModelRef(ModelId("model_01JZ8Q4ZK3V9W2T5R7X1M6N0PD"), "0" * 64, keep_below=0.6)
LABELS = ("billing", "tech")


class Shelf:
    """Where a keeper writes; fails as often as it is told."""

    def __init__(self) -> None:
        self.stored: list[tuple[ModelId, UnsureText]] = []
        self.fails = 0
        self.error: Exception = OperationalError("", {}, Exception())
        self.calls = 0

    def store(self, model_id: ModelId, texts: Sequence[UnsureText]) -> None:
        self.calls += 1
        if self.fails:
            self.fails -= 1
            raise self.error
        self.stored += [(model_id, text) for text in texts]

    @property
    def texts(self) -> list[str]:
        return [text.text for _, text in self.stored]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def keeper(shelf: Shelf) -> Iterator[TextKeeper]:
    keeper = TextKeeper(shelf.store)
    yield keeper
    keeper.close()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_texts, "FLUSH_SECONDS", 0.02)


def answers(*scores: float, model: ModelRef = MODEL) -> Answered:
    """The second label with these scores, which may be below a half."""
    first = [min(1 - score, score - 1e-6) for score in scores]
    return Answered(
        model,
        LABELS,
        probabilities=np.array(list(zip(first, scores, strict=True))),
        unsure=np.zeros(len(scores), dtype=np.bool_),
        reading=Reading(),
    )


def offer(keeper: TextKeeper, texts: Sequence[str], *, model: ModelRef = MODEL) -> None:
    keeper.offer(answers(*[0.55] * len(texts), model=model), texts)


def dropped(reason: str) -> float:
    return REGISTRY.get_sample_value("llkd_kept_texts_dropped_total", {"reason": reason}) or 0.0


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class TestOffer:
    def test_texts_below_the_score_are_written_soon(self, keeper: TextKeeper, shelf: Shelf) -> None:
        keeper.offer(answers(0.59, 0.6, 0.99), ["a", "b", "c"])
        until(lambda: shelf.stored != [])
        expected = UnsureText("a", "tech", 0.59, KeptReason.LOW_CONFIDENCE)
        assert shelf.stored == [(MODEL.id, expected)]

    def test_those_passed_on_are_kept_whatever_their_score(
        self, keeper: TextKeeper, shelf: Shelf
    ) -> None:
        keeper.offer(answers(0.59, 0.7, 0.99), ["a", "b", "c"], deferred={0, 1})
        until(lambda: len(shelf.stored) == 2)
        assert [(text.text, text.reason) for _, text in shelf.stored] == [
            ("a", KeptReason.DEFERRED),
            ("b", KeptReason.DEFERRED),
        ]

    def test_without_a_keeping_nothing_is_looked_at(self, keeper: TextKeeper, shelf: Shelf) -> None:
        offer(keeper, ["a"], model=ModelRef(MODEL.id, MODEL.artifact))
        keeper.close()
        assert shelf.calls == 0

    def test_what_cannot_be_stored_or_taught_is_left_out(
        self, keeper: TextKeeper, shelf: Shelf
    ) -> None:
        before = dropped("too_long")
        offer(keeper, ["", " \n", "a\0b", "x" * 20_001, "x" * 20_000])
        keeper.close()
        assert shelf.texts == ["x" * 20_000]
        assert dropped("too_long") == before + 1

    def test_texts_are_written_by_model(self, keeper: TextKeeper, shelf: Shelf) -> None:
        other = ModelRef(ModelId("model_01JZ8Q4ZK3V9W2T5R7X1M6N0PE"), "0" * 64, keep_below=0.6)
        for number in range(3):
            offer(keeper, [f"a{number}"])
            offer(keeper, [f"b{number}"], model=other)
        keeper.close()
        assert sorted((model_id, text.text[0]) for model_id, text in shelf.stored) == [
            *[(MODEL.id, "a")] * 3,
            *[(other.id, "b")] * 3,
        ]


class TestRoom:
    def test_what_there_is_no_room_for_is_dropped_and_counted(
        self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(kept_texts, "ROOM_TEXTS", 3)
        monkeypatch.setattr(kept_texts, "FLUSH_SECONDS", 60.0)
        before = dropped("no_room")
        keeper = TextKeeper(shelf.store)
        offer(keeper, list("abcde"))
        assert dropped("no_room") == before + 2
        keeper.close()
        assert shelf.texts == ["a", "b", "c"]

    def test_long_texts_take_more_of_it(
        self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(kept_texts, "ROOM_CHARACTERS", 10)
        monkeypatch.setattr(kept_texts, "FLUSH_SECONDS", 60.0)
        keeper = TextKeeper(shelf.store)
        offer(keeper, ["x" * 9, "y" * 9, "z"])
        keeper.close()
        assert shelf.texts == ["x" * 9, "y" * 9]

    def test_a_slow_database_keeps_no_request_waiting(self) -> None:
        free = threading.Event()
        keeper = TextKeeper(lambda _model, _texts: assert_within(free, 10))
        offer(keeper, ["a"])
        time.sleep(0.1)
        start = time.monotonic()
        offer(keeper, ["b"] * 1000)
        assert time.monotonic() - start < 1
        free.set()
        keeper.close()


def assert_within(event: threading.Event, seconds: float) -> None:
    assert event.wait(seconds)


class TestTrouble:
    def test_texts_wait_for_the_database(self, keeper: TextKeeper, shelf: Shelf) -> None:
        shelf.fails = 3
        offer(keeper, ["a", "b"])
        until(lambda: shelf.texts == ["a", "b"])
        assert shelf.calls == 4

    def test_at_the_end_nobody_waits_for_it(self, keeper: TextKeeper, shelf: Shelf) -> None:
        shelf.fails = 10**9
        before = dropped("no_room")
        offer(keeper, ["a"])
        keeper.close()
        assert dropped("no_room") == before + 1

    def test_another_fault_costs_these_texts_alone(self, keeper: TextKeeper, shelf: Shelf) -> None:
        shelf.fails, shelf.error = 1, ValueError("a")
        before = dropped("error")
        offer(keeper, ["a"])
        until(lambda: shelf.calls == 1)
        offer(keeper, ["b"])
        until(lambda: shelf.texts == ["b"])
        assert dropped("error") == before + 1
