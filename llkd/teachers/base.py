"""What every teacher can do."""

from collections.abc import Sequence
from typing import Protocol

from llkd.types import Question, TeacherAnswer


class Teacher(Protocol):
    """Labels texts. Built by `llkd.teachers.factory.build_teacher`."""

    @property
    def fingerprint(self) -> str:
        """Sha256 of all that decides an answer but the question: kind, weights, labels, prompt.

        Two teachers with one fingerprint give the same answer to the same question.
        """
        ...

    @property
    def model(self) -> str:
        """The name to record with each answer."""
        ...

    @property
    def batch_size(self) -> int:
        """How many questions it likes at once."""
        ...

    def answer(self, questions: Sequence[Question]) -> list[TeacherAnswer]:
        """Answer each question, in order; a bad question gets a status, never an exception."""
        ...
