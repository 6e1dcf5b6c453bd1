"""What becomes of a row's values."""

import json
from itertools import groupby
from typing import Any
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.datasets.cleaning import (
    MARKS,
    MAX_MARKS,
    BadValue,
    Cleaner,
    has_mark_bomb,
    read_confidence,
    read_label,
    read_probabilities,
    read_votes,
)
from app.datasets.options import Columns
from app.datasets.rows import Answer, CleanRow, Issue, RawRow

COLUMNS = Columns("text", "label", "guess", "sure", "scores", "votes")


def clean(row: RawRow) -> tuple[CleanRow | Issue, list[Issue]]:
    noted: list[Issue] = []
    return Cleaner(COLUMNS, note=noted.append).clean(row), noted


class TestClean:
    @pytest.mark.parametrize(
        ("text", "code"),
        [
            (None, "null-text"),
            ("", "empty-text"),
            (" \t\n\u00a0\u2003", "empty-text"),
            ("a\0", "nul-byte"),
            ("\ud800", "invalid-unicode"),
            ("x" + "\u0301" * 65, "text-abusive"),
        ],
    )
    def test_an_unusable_text_is_set_aside(self, text: str | None, code: str) -> None:
        row, noted = clean(RawRow(7, text, "a"))
        assert isinstance(row, Issue)
        assert (row.line, row.column, row.code, noted) == (7, "text", code, [])

    def test_a_text_is_kept_in_nfc_without_white_space_around(self) -> None:
        row, _ = clean(RawRow(1, "\u00a0e\u0301 \u200b\u0007x\n"))
        assert isinstance(row, CleanRow)
        assert (row.text, row.content) == ("\u00e9 \u200b\u0007x", "\u00e9 \u200b\u0007x".encode())

    def test_a_bad_label_costs_the_label_alone(self) -> None:
        row, noted = clean(RawRow(1, "a", "x" * 101, "b", 0.5))
        assert isinstance(row, CleanRow)
        assert (row.gold, row.teacher_label, row.teacher_confidence) == (None, "b", 0.5)
        assert [(issue.column, issue.code) for issue in noted] == [("label", "bad-label")]

    @pytest.mark.parametrize(
        ("given", "column"),
        [
            (("b\n", "x", None), "sure"),
            (("b", 1.5, None), "sure"),
            ((3.5, 0.5, None), "guess"),
            (("b", 0.5, "[]"), "scores"),
            (("b", None, None, "[1.5]"), "votes"),
        ],
    )
    def test_one_bad_part_costs_the_whole_answer(self, given: tuple[Any, ...], column: str) -> None:
        row, noted = clean(RawRow(1, "a", "gold", *given))
        assert isinstance(row, CleanRow)
        assert (row.gold, row.answer) == ("gold", Answer())
        assert [(issue.column, issue.code) for issue in noted] == [(column, "bad-teacher-answer")]

    def test_a_confidence_without_a_label_is_no_answer(self) -> None:
        row, noted = clean(RawRow(1, "a", None, " ", 0.5))
        assert isinstance(row, CleanRow)
        assert (row.gold, row.answer, noted) == (None, Answer(), [])


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
            {"a": 10**400},
            {"": 1},
            {"a": 0.5, " a": 0.5},
            {str(n): 0 for n in range(1001)},
            "[" * 100_000,
        ],
        ids=lambda value: str(value)[:20],
    )
    def test_what_are_none_is_refused(self, value: Any) -> None:
        with pytest.raises(BadValue):
            read_probabilities(value)


MARKED = st.lists(
    st.tuples(st.sampled_from(["a", "\u0301", "\u20dd", "न"]), st.integers(1, 140)), max_size=6
).map(lambda runs: "".join(character * length for character, length in runs))


class TestHasMarkBomb:
    @given(text=MARKED)
    def test_it_finds_exactly_the_runs_that_are_too_long(self, text: str) -> None:
        runs = groupby(text, key=lambda character: category(character) in MARKS)
        longest = max((len(list(run)) for is_mark, run in runs if is_mark), default=0)
        assert has_mark_bomb(text) == (longest > MAX_MARKS)


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
