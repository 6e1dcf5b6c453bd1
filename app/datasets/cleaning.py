"""From a row as it stands to a text worth keeping: normalised, checked, with its labels.

A text that cannot be used is set aside with a code. A label or a teacher's answer that
makes no sense is dropped and noted, and its text is kept.
"""

from collections.abc import Callable
from unicodedata import category

from app.datasets.options import Columns, Part
from app.datasets.rows import NO_ANSWER, Answer, CleanRow, Issue, RawRow
from app.datasets.values import (
    BadValue,
    read_confidence,
    read_label,
    read_probabilities,
    read_votes,
)
from core.texts import normalized

# No script stacks as many marks on one letter; text that does is made to break displays.
MAX_MARKS = 64
MARKS = frozenset({"Mn", "Me"})

NULL_TEXT = "null-text"
EMPTY_TEXT = "empty-text"
NUL_BYTE = "nul-byte"
INVALID_UNICODE = "invalid-unicode"
TEXT_ABUSIVE = "text-abusive"
MESSAGES = {
    NULL_TEXT: "there is no text",
    EMPTY_TEXT: "the text is empty or only white space",
    NUL_BYTE: "the text contains a NUL character",
    INVALID_UNICODE: "the text is not valid Unicode (a lone surrogate or broken UTF-8)",
    TEXT_ABUSIVE: f"more than {MAX_MARKS} combining marks follow one another",
}
# A row's label and all the parts of a teacher's answer.
_NOTHING_KNOWN = (None,) * (len(RawRow._fields) - 2)
BAD_LABEL = "bad-label"
BAD_TEACHER_ANSWER = "bad-teacher-answer"


class Cleaner:
    """Cleans the rows of one file.

    Args:
        note: called with each value that was dropped from a row that is kept.
        part: the part of the form that the file came in.
    """

    def __init__(
        self, columns: Columns, *, note: Callable[[Issue], None], part: Part = Part.FILE
    ) -> None:
        self._columns = columns
        self._note = note
        self._part = part

    def clean(self, row: RawRow) -> CleanRow | Issue:
        """The row to keep, or why it is set aside."""
        if row.text is None:
            return self._set_aside(row, NULL_TEXT)
        text = normalized(row.text)
        fault = text_fault(text)
        if fault is not None:
            return self._set_aside(row, fault)
        try:
            content = text.encode("utf-8")
        except UnicodeEncodeError:
            return self._set_aside(row, INVALID_UNICODE)
        if row[2:] == _NOTHING_KNOWN:
            return CleanRow(row.line, text, content)
        gold = self._gold(row)
        return CleanRow(row.line, text, content, gold, *self._answer(row))

    def _set_aside(self, row: RawRow, code: str) -> Issue:
        return Issue(row.line, self._columns.text, code, MESSAGES[code], self._part)

    def _gold(self, row: RawRow) -> str | None:
        try:
            return read_label(row.label)
        except BadValue as fault:
            self._note(Issue(row.line, self._columns.label, BAD_LABEL, str(fault), self._part))
            return None

    def _answer(self, row: RawRow) -> Answer:
        """What the teacher said; nothing at all if a part of it makes no sense.

        A label kept without the confidence that came with it would count as surer, or
        less sure, than its teacher was.
        """
        columns = self._columns
        column = columns.teacher_label
        try:
            label = read_label(row.teacher_label)
            column = columns.teacher_probabilities
            probabilities = read_probabilities(row.teacher_probabilities)
            column = columns.teacher_votes
            votes = read_votes(row.teacher_votes)
            if label is None and probabilities is None and votes is None:
                return NO_ANSWER
            column = columns.teacher_confidence
            return Answer(label, read_confidence(row.teacher_confidence), probabilities, votes)
        except BadValue as fault:
            self._note(Issue(row.line, column, BAD_TEACHER_ANSWER, str(fault), self._part))
            return NO_ANSWER


def text_fault(text: str) -> str | None:
    """The code for which a normalised text is set aside, or None; surrogates are not looked for."""
    if not text:
        return EMPTY_TEXT
    if "\0" in text:
        return NUL_BYTE
    if not text.isascii() and has_mark_bomb(text):
        return TEXT_ABUSIVE
    return None


def has_mark_bomb(text: str) -> bool:
    """Whether more than MAX_MARKS combining marks follow one another.

    So long a run covers a place that is a multiple of MAX_MARKS + 1; looking there first
    spares looking at every character of an honest text.
    """
    step = MAX_MARKS + 1
    for place in range(MAX_MARKS, len(text), step):
        if category(text[place]) in MARKS and _run_length(text, place) > MAX_MARKS:
            return True
    return False


def _run_length(text: str, place: int) -> int:
    """How many marks stand together around this one, counted up to just over MAX_MARKS."""
    first = place
    while first > 0 and place - first <= MAX_MARKS and category(text[first - 1]) in MARKS:
        first -= 1
    last = place
    while last + 1 < len(text) and last - first <= MAX_MARKS and category(text[last + 1]) in MARKS:
        last += 1
    return last - first + 1
