"""What few answers tell of a teacher."""

import numpy as np
import pytest

from llkd.report_card import against_gold, consistency
from llkd.types import IntArray

UNKNOWN = np.full(4, np.nan)


def labels(*values: int) -> IntArray:
    return np.array(values, dtype=np.int64)


class TestAgainstGold:
    def test_only_texts_with_gold_count(self) -> None:
        found = against_gold(labels(0, 1, -1, 1), labels(0, 0, 1, -1), UNKNOWN, ["a", "b"], seed=0)
        assert found is not None
        assert (found["rows"], found["unanswered"]) == (3, 1)
        assert found["accuracy"]["value"] == pytest.approx(1 / 3)
        assert found["confusion"] == [[1, 0], [1, 0]]
        assert found["calibration"] is None

    def test_without_gold_there_is_nothing_to_say(self) -> None:
        answers = labels(0, 1, 0, 1)
        assert against_gold(labels(-1, -1, -1, -1), answers, UNKNOWN, ["a", "b"], seed=0) is None


class TestConsistency:
    def test_counts_texts_that_were_answered_twice(self) -> None:
        found = consistency(labels(0, 1, 1, -1), labels(0, 0, 1, 1), UNKNOWN, class_count=2)
        assert found is not None
        assert found["rows"] == 3
        assert found["same"]["value"] == pytest.approx(2 / 3)
        assert found["same"]["low"] < 2 / 3 < found["same"]["high"]
        assert found["confusion"] == [[1, 0], [1, 1]]
        assert found["ece"] is None

    def test_measures_a_confidence_by_what_stays(self) -> None:
        first, second = labels(0, 0, 0, 0), labels(0, 0, 0, 1)
        found = consistency(first, second, np.full(4, 0.95), class_count=2)
        assert found is not None
        assert found["ece"] == pytest.approx(0.95 - 0.75)

    def test_says_nothing_where_nothing_was_answered_twice(self) -> None:
        assert consistency(labels(-1, 0), labels(0, -1), UNKNOWN[:2], class_count=2) is None
