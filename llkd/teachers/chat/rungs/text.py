"""A label in plain text, with nothing to say how sure it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from llkd.teachers.chat.matching import Options
from llkd.teachers.chat.prompt import AnswerFormat
from llkd.teachers.chat.reading import Choice
from llkd.teachers.chat.rungs.base import CODE_TOKENS, MALFORMED, REFUSED
from llkd.types import AnswerStatus, Json, TeacherAnswer

TEXT = "text"


@dataclass(frozen=True)
class PlainText:
    """Trusts the model to answer with a code; where it does not, the answer is malformed."""

    name: ClassVar[str] = TEXT
    format: ClassVar[AnswerFormat] = AnswerFormat.CODE
    most_tokens: ClassVar[int] = CODE_TOKENS
    answers: ClassVar[int] = 1
    temperature: ClassVar[float] = 0.0

    def fields(self, options: Options) -> Json:
        return {}

    def read(self, choices: Sequence[Choice], options: Options) -> TeacherAnswer:
        return plain_answer(choices[0], options)


def plain_answer(choice: Choice, options: Options) -> TeacherAnswer:
    """The label that a choice's text names, its confidence unknown."""
    if choice.refused:
        return REFUSED
    return hard_answer(options.named_by(choice.text))


def hard_answer(label: int | None) -> TeacherAnswer:
    """An answer that is a label and nothing more."""
    if label is None:
        return MALFORMED
    return TeacherAnswer(AnswerStatus.ANSWERED, label=label, rung=TEXT)
