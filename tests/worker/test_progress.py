"""Progress is one number that grows with work, and events keep to a bounded pace."""

from typing import Any

import pytest

from core.lifecycle import Stage
from worker.book import _Pace
from worker.faults import FaultPoints, InjectedFault, parse_faults
from worker.progress import Progress
from worker.protocol import Advanced, Message


class TestTheNumber:
    def test_counts_the_units_of_all_stages_and_one_more_for_each_that_is_stored(self) -> None:
        told: list[Message] = []
        progress = Progress(told.append, detail={})
        progress.enter(Stage.LABEL)
        progress.expect(10)
        progress.advance(10)
        progress.leave(Stage.LABEL, seconds=1)
        progress.enter(Stage.TRAIN)
        progress.expect(4)
        progress.advance(3)
        progress.tell()
        assert _last(told).progress == 10 + 1 + 3

    def test_goes_on_where_an_earlier_attempt_stored_its_stages(self) -> None:
        told: list[Message] = []
        progress = Progress(told.append, detail={"teacher": {"asked": 10}, "percent": 70.0})
        progress.skip(Stage.LABEL, units=10, seconds=1)
        progress.enter(Stage.TRAIN)
        assert _last(told).progress == 11
        assert _last(told).detail["teacher"] == {"asked": 10}
        assert _last(told).detail["percent"] == 20.0

    def test_is_told_at_a_bounded_pace(self) -> None:
        told: list[Message] = []
        progress = Progress(told.append, detail={})
        progress.expect(10_000)
        for done in range(10_000):
            progress.advance(done)
        assert len(told) < 100


class TestTheEventsOfALongJob:
    def test_are_a_few_hundred_whatever_its_length(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 0.0
        monkeypatch.setattr("worker.book.time.monotonic", lambda: now)
        pace = _Pace()
        written = 0
        for second in range(100_000):
            now = float(second)
            written += pace.is_due()
        assert 100 < written < 700


class TestFaults:
    def test_happen_at_their_pass_of_their_attempt_and_only_when_testing(self) -> None:
        environment = {"TESTING": "1", "FAULT": "train.step:raise:2:3"}
        points = FaultPoints(environment, attempt=3)
        points.reach("train.step")
        with pytest.raises(InjectedFault):
            points.reach("train.step")
        points.reach("train.step")
        for other in (
            FaultPoints(environment, attempt=2),
            FaultPoints({"FAULT": "train.step:raise:1:3"}, attempt=3),
        ):
            other.reach("train.step")
            other.reach("train.step")

    @pytest.mark.parametrize("text", ["train.step", "train.step:explode", "a:kill:x", ":::"])
    def test_that_are_misspelt_stop_the_test(self, text: str) -> None:
        with pytest.raises(ValueError, match="FAULT"):
            parse_faults(text)


def _last(told: list[Message]) -> Any:
    assert isinstance(told[-1], Advanced)
    return told[-1]
