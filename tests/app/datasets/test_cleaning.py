"""What becomes of a row's values."""

from itertools import groupby
from typing import Any
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.datasets.cleaning import MARKS, MAX_MARKS, Cleaner, has_mark_bomb
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


MARKED = st.lists(
    st.tuples(st.sampled_from(["a", "\u0301", "\u20dd", "न"]), st.integers(1, 140)), max_size=6
).map(lambda runs: "".join(character * length for character, length in runs))


class TestHasMarkBomb:
    @given(text=MARKED)
    def test_it_finds_exactly_the_runs_that_are_too_long(self, text: str) -> None:
        runs = groupby(text, key=lambda character: category(character) in MARKS)
        longest = max((len(list(run)) for is_mark, run in runs if is_mark), default=0)
        assert has_mark_bomb(text) == (longest > MAX_MARKS)
