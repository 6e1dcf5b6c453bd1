"""The buffer of unsure texts: bounded, off the request's path, and emptied at the end."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from prometheus_client import REGISTRY
from sqlalchemy.exc import OperationalError

from app.predict import kept_texts
from app.predict.answered import Answered
from app.predict.kept_texts import TextKeeper
from app.predict.names import ModelRef
from app.predict.reading import Reading
from core.db.repositories.kept_texts import Keeping, KeptReason, UnsureText, digest_of
from core.ids import ModelId


def model_of(keeping: Keeping) -> ModelRef:
    return ModelRef(keeping.model_id, "0" * 64, keeping=keeping)


KEEPING = Keeping(
    ModelId("model_01JZ8Q4ZK3V9W2T5R7X1M6N0PD"),
    below=0.6,
    max_rows=10_000,
    since=datetime(2026, 7, 1, tzinfo=UTC),
)
MODEL = model_of(KEEPING)
LABELS = ("billing", "tech")


class Shelf:
    """Where a keeper writes; fails as often as it is told."""

    def __init__(self) -> None:
        self.stored: list[tuple[Keeping, UnsureText]] = []
        self.fails = 0
        self.error: Exception = OperationalError("", {}, Exception())
        self.calls = 0

    def store(self, keeping: Keeping, texts: Sequence[UnsureText]) -> None:
        self.calls += 1
        if self.fails:
            self.fails -= 1
            raise self.error
        self.stored += [(keeping, text) for text in texts]

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


def by_lot(texts: Iterable[str]) -> list[str]:
    """The same texts, those first that stay the longest."""
    return sorted(texts, key=lambda text: digest_of(MODEL.id, text))


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
        assert shelf.stored == [(KEEPING, expected)]

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
        other = model_of(replace(KEEPING, model_id=ModelId("model_01JZ8Q4ZK3V9W2T5R7X1M6N0PE")))
        for number in range(3):
            offer(keeper, [f"a{number}"])
            offer(keeper, [f"b{number}"], model=other)
        keeper.close()
        assert sorted((keeping.model_id, text.text[0]) for keeping, text in shelf.stored) == [
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
        assert sorted(shelf.texts) == sorted(by_lot("abcde")[:3])

    def test_neither_order_nor_repeats_decide_what_waits(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(kept_texts, "ROOM_TEXTS", 20)
        monkeypatch.setattr(kept_texts, "FLUSH_SECONDS", 60.0)
        texts = [f"text {number}" for number in range(100)]
        for requests in (
            [texts],
            [texts[::-1]],
            [texts[:40] * 5, texts[30:]],
            [[t] for t in texts],
        ):
            shelf = Shelf()
            keeper = TextKeeper(shelf.store)
            for each in requests:
                offer(keeper, each)
            keeper.close()
            assert sorted(shelf.texts) == sorted(by_lot(texts)[:20])

    def test_repeats_take_none(self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(kept_texts, "ROOM_TEXTS", 3)
        monkeypatch.setattr(kept_texts, "FLUSH_SECONDS", 60.0)
        before = dropped("no_room")
        keeper = TextKeeper(shelf.store)
        offer(keeper, ["a", " a", "a"] * 10)
        offer(keeper, ["b", "a\n"])
        keeper.close()
        assert shelf.texts == ["a", "b"]
        assert dropped("no_room") == before

    def test_a_model_takes_no_more_than_it_keeps(
        self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(kept_texts, "FLUSH_SECONDS", 60.0)
        before = dropped("no_room")
        keeper = TextKeeper(shelf.store)
        offer(keeper, list("abcde"), model=model_of(replace(KEEPING, max_rows=2)))
        keeper.close()
        assert sorted(shelf.texts) == sorted(by_lot("abcde")[:2])
        # It is the lot that left them out.
        assert dropped("no_room") == before

    def test_models_share_it_by_lot(self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(kept_texts, "ROOM_TEXTS", 40)
        monkeypatch.setattr(kept_texts, "FLUSH_SECONDS", 60.0)
        other = replace(KEEPING, model_id=ModelId("model_01JZ8Q4ZK3V9W2T5R7X1M6N0PE"))
        texts = [f"text {number}" for number in range(100)]
        keeper = TextKeeper(shelf.store)
        for keeping in (KEEPING, other):
            offer(keeper, texts, model=model_of(keeping))
        keeper.close()
        lots = sorted((digest_of(of.model_id, t), of, t) for of in (KEEPING, other) for t in texts)
        expected = [(of.model_id, text) for _, of, text in lots[:40]]
        found = [(keeping.model_id, text.text) for keeping, text in shelf.stored]
        assert sorted(found) == sorted(expected)

    def test_long_texts_take_more_of_it(
        self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(kept_texts, "ROOM_CHARACTERS", 20)
        monkeypatch.setattr(kept_texts, "FLUSH_SECONDS", 60.0)
        before = dropped("no_room")
        texts = [letter * 9 for letter in "xyz"]
        keeper = TextKeeper(shelf.store)
        offer(keeper, texts)
        keeper.close()
        assert sorted(shelf.texts) == sorted(by_lot(texts)[:2])
        assert dropped("no_room") == before + 1

    def test_a_slow_database_keeps_no_request_waiting(self) -> None:
        free = threading.Event()
        keeper = TextKeeper(lambda _model, _texts: assert_within(free, 10))
        offer(keeper, ["a"])
        time.sleep(0.1)
        start = time.monotonic()
        offer(keeper, [f"b{number}" for number in range(1000)])
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
