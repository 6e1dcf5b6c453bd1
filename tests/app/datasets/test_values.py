"""What one cell may say, and what it may not."""

import json
from typing import Any

import pytest

from app.datasets.values import (
    BadValue,
    read_confidence,
    read_label,
    read_probabilities,
    read_votes,
)


class TestReadLabel:
    @pytest.mark.parametrize(
        ("value", "label"),
        [(None, None), ("", None), ("  ", None), (" e\u0301 ", "\u00e9"), (3, "3"), (-1, "-1")],
    )
    def test_it_is_normalised(self, value: Any, label: str | None) -> None:
        assert read_label(value) == label

    @pytest.mark.parametrize(
        "value", [True, 0.5, ["a"], {}, "a\nb", "a\0", "\ud800", "a\u2028b", "x" * 101, 10**200]
    )
    def test_what_could_be_none_is_refused(self, value: Any) -> None:
        with pytest.raises(BadValue):
            read_label(value)


class TestReadConfidence:
    @pytest.mark.parametrize(
        ("value", "confidence"),
        [
            (None, None),
            ("", None),
            (" ", None),
            (0, 0.0),
            (1, 1.0),
            ("0.25", 0.25),
            (" 1e-3", 0.001),
        ],
    )
    def test_it_is_a_number_or_its_digits(self, value: Any, confidence: float | None) -> None:
        assert read_confidence(value) == confidence

    @pytest.mark.parametrize(
        "value", ["high", "nan", float("nan"), "inf", -0.1, 1.01, "93%", True, [0.5], 10**400]
    )
    def test_what_is_no_probability_is_refused(self, value: Any) -> None:
        with pytest.raises(BadValue):
            read_confidence(value)


class TestReadProbabilities:
    @pytest.mark.parametrize(
        ("value", "read"),
        [
            (None, None),
            ("", None),
            ("null", None),
            ('{"a": 1}', {"a": 1.0}),
            ({" a ": 0.5, "b": 0.5, "c": None}, {"a": 0.5, "b": 0.5}),
            ({"a": None}, None),
            ({"a": 0.33, "b": 0.66}, {"a": 0.33, "b": 0.66}),
            ({"a": 1.0000001, "b": 0}, {"a": 1.0000001, "b": 0.0}),
        ],
    )
    def test_they_are_an_object(self, value: Any, read: dict[str, float] | None) -> None:
        written = read_probabilities(value)
        assert (None if written is None else json.loads(written)) == read

    @pytest.mark.parametrize(
        "value",
        [
            "x",
            "[0.5]",
            "{}",
            [0.5],
            0.5,
            {"a": "0.5"},
            {"a": True},
            {"a": float("nan")},
            '{"a": NaN}',
            {"a": -0.1},
            {"a": 2},
            {"a": 0.5},
            {"a": 0.9, "b": 0.9},
            {"a": 0},
            {"a": 10**400},
            {"": 1},
            {"a": 0.5, " a": 0.5},
            '{"a": 0.5, "a": 1}',
            {str(n): 0 for n in range(1001)},
            "[" * 100_000,
        ],
        ids=lambda value: str(value)[:20],
    )
    def test_what_are_none_is_refused(self, value: Any) -> None:
        with pytest.raises(BadValue):
            read_probabilities(value)

    def test_what_they_sum_to_is_told(self) -> None:
        with pytest.raises(BadValue, match=r"sum to 0\.75, not to 1"):
            read_probabilities({"a": 0.5, "b": 0.25})


class TestReadVotes:
    @pytest.mark.parametrize(
        ("value", "counts"),
        [
            (["joy", "joy", "fear"], {"joy": 2, "fear": 1}),
            ('["joy", "joy", "fear"]', {"joy": 2, "fear": 1}),
            ({"joy": 2, "fear": 1}, {"joy": 2, "fear": 1}),
            ('{"joy": 2, "fear": 0}', {"joy": 2}),
            ({"joy": 2.0, "fear": None}, {"joy": 2}),
            ([" joy ", "", None, 1], {"joy": 1, "1": 1}),
        ],
    )
    def test_they_are_counted(self, value: Any, counts: dict[str, int]) -> None:
        written = read_votes(value)
        assert written is not None
        assert json.loads(written) == counts

    @pytest.mark.parametrize("value", [None, "", "  ", "null", [], "[]", {}, [None, ""], {"a": 0}])
    def test_where_nobody_voted_there_are_none(self, value: Any) -> None:
        assert read_votes(value) is None

    @pytest.mark.parametrize(
        "value",
        [
            "joy",
            '"joy"',
            "[",
            "[" * 100_000,
            3,
            {"joy": -1},
            {"joy": 0.5},
            {"joy": True},
            {"joy": float("nan")},
            {"joy": float("inf")},
            {"joy": 10**30},
            {"joy": "2"},
            {"joy": 1, " joy": 1},
            '{"joy": 2, "joy": 5}',
            {"": 1},
            [["joy"]],
            [1.5],
            ["x" * 101],
            ["joy"] * 100_001,
            {str(n): 1 for n in range(1001)},
        ],
    )
    def test_what_makes_no_sense_is_refused(self, value: Any) -> None:
        with pytest.raises(BadValue):
            read_votes(value)
