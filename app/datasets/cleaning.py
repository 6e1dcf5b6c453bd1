"""From a row as it stands to a text worth keeping: normalised, checked, with its labels.

A text that cannot be used is set aside with a code. A label or a teacher's answer that
makes no sense is dropped and noted, and its text is kept.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from unicodedata import category

from app.datasets.options import (
    MAX_FIELD_CHARACTERS,
    MAX_LABEL_CHARACTERS,
    MAX_LABELS,
    MAX_VOTES,
    Columns,
    Part,
)
from app.datasets.rows import Answer, CleanRow, Issue, RawRow, normalized

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
MAX_SHARE = 1.001
BAD_LABEL = "bad-label"
BAD_TEACHER_ANSWER = "bad-teacher-answer"


class BadValue(Exception):
    """A label or an answer that cannot be used; the message says why."""


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
                return Answer()
            column = columns.teacher_confidence
            return Answer(label, read_confidence(row.teacher_confidence), probabilities, votes)
        except BadValue as fault:
            self._note(Issue(row.line, column, BAD_TEACHER_ANSWER, str(fault), self._part))
            return Answer()


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


def read_label(value: Any) -> str | None:
    """A label as its name, normalised; None for an empty one.

    Whole numbers are taken as their digits, since many corpora number their classes.

    Raises:
        BadValue: no label could be so.
    """
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise BadValue("a label is a string or a whole number")
    if len(value) > 4 * MAX_LABEL_CHARACTERS:
        raise BadValue(f"a label is at most {MAX_LABEL_CHARACTERS} characters long")
    label = normalized(value)
    if len(label) > MAX_LABEL_CHARACTERS:
        raise BadValue(f"a label is at most {MAX_LABEL_CHARACTERS} characters long")
    if any(category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in label):
        raise BadValue("a label holds no control characters and no line breaks")
    return label or None


def read_confidence(value: Any) -> float | None:
    """A probability in [0, 1], given as a number or as its digits; None for an empty one.

    Raises:
        BadValue: it is none.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise BadValue("a confidence is a number")
    try:
        confidence = float(value)
    except (ValueError, OverflowError):
        raise BadValue("a confidence is a number") from None
    if not 0 <= confidence <= 1:  # NaN fails this too
        raise BadValue("a confidence is between 0 and 1")
    return confidence


def read_probabilities(value: Any) -> str | None:
    """Probabilities by label, as a JSON object; None for an empty value.

    Raises:
        BadValue: not an object of numbers that are at least 0.
    """
    value = _parsed(value, "the probabilities are not a JSON object")
    if value is None:
        return None
    if not isinstance(value, Mapping) or not 0 < len(value) <= MAX_LABELS:
        raise BadValue(f"probabilities are an object of 1 to {MAX_LABELS} labels")
    return _written(value, _read_share, what="probabilities")


def read_votes(value: Any) -> str | None:
    """How many votes each label has, as a JSON object; None where nobody voted.

    They come as a list with a label a vote, or as an object of counts. An empty vote of a
    list, or a count of 0, is none.

    Raises:
        BadValue: neither a list of labels nor an object of whole numbers that are at least 0.
    """
    value = _parsed(value, "the votes are neither a JSON list nor an object")
    if value is None:
        return None
    if isinstance(value, list) and len(value) <= MAX_VOTES:
        value = Counter(label for label in map(read_label, value) if label is not None)
    if not isinstance(value, Mapping) or len(value) > MAX_LABELS:
        raise BadValue(
            f"votes are a list of at most {MAX_VOTES} labels, or an object of at most "
            f"{MAX_LABELS} labels with their counts"
        )
    counts = {name: count for name, count in value.items() if count != 0}
    written = _written(counts, _read_count, what="votes")
    return None if written == "{}" else written


def _written(given: Mapping[Any, Any], read: Callable[[Any], float], *, what: str) -> str:
    """The numbers by label as JSON; a number that is null says that its key is lacking."""
    found: dict[str, float] = {}
    for name, number in given.items():
        if number is None:  # how a Parquet struct says that a row lacks a key
            continue
        label = read_label(name)
        if label is None or label in found:
            raise BadValue(f"{what} name each label once")
        found[label] = read(number)
    return json.dumps(found, ensure_ascii=False)


def _read_share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadValue("a probability is a number")
    # 1 and a little: what a sum of rounded numbers may come to.
    if not 0 <= value <= MAX_SHARE:
        raise BadValue("a probability is between 0 and 1")
    return float(value)


def _read_count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadValue("a number of votes is a whole number")
    # Parquet files of data frames hold counts beside gaps as floats; NaN fails this, too.
    if not 0 <= value <= MAX_VOTES or value != int(value):
        raise BadValue(f"a number of votes is a whole number between 0 and {MAX_VOTES}")
    return int(value)


def _parsed(value: Any, fault: str) -> Any:
    """What a string holds as JSON, None for an empty one; other values as they are."""
    if not isinstance(value, str):
        return value
    if len(value) > MAX_FIELD_CHARACTERS:
        raise BadValue("the value is too long")
    if not value.strip():
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise BadValue(fault) from None
