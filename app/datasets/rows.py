"""What a row is: as it stands in the file, as it is kept, or as what was wrong with it."""

from typing import Any, NamedTuple

from app.datasets.options import Part


class RawRow(NamedTuple):
    """One row before any check of its values, each of whatever type the file gives.

    `line` is where it begins: a line of a text file or a row of a Parquet file, from 1.
    """

    line: int
    text: Any
    label: Any = None
    teacher_label: Any = None
    teacher_confidence: Any = None
    teacher_probabilities: Any = None
    teacher_votes: Any = None


class CleanRow(NamedTuple):
    """A row that is kept: its text in NFC without white space around it.

    `content` is the text in UTF-8; `teacher_probabilities` the JSON object that was given,
    `teacher_votes` a JSON object of counts.
    """

    line: int
    text: str
    content: bytes
    gold: str | None = None
    teacher_label: str | None = None
    teacher_confidence: float | None = None
    teacher_probabilities: str | None = None
    teacher_votes: str | None = None

    @property
    def answer(self) -> "Answer":
        return Answer(
            self.teacher_label,
            self.teacher_confidence,
            self.teacher_probabilities,
            self.teacher_votes,
        )


class Answer(NamedTuple):
    """What a teacher said of a text, in the order in which rows.parquet holds it."""

    teacher_label: str | None = None
    teacher_confidence: float | None = None
    teacher_probabilities: str | None = None
    teacher_votes: str | None = None


NO_ANSWER = Answer()


class Issue(NamedTuple):
    """What was wrong with a row, or with one value of a row that was kept."""

    line: int
    column: str | None
    code: str
    message: str
    part: Part = Part.FILE
