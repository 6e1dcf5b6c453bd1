"""What every way to get an answer can do."""

from collections.abc import Sequence
from typing import Protocol

from llkd.teachers.chat.matching import Options
from llkd.teachers.chat.prompt import AnswerFormat
from llkd.teachers.chat.reading import Choice
from llkd.types import AnswerStatus, Json, TeacherAnswer

REFUSED = TeacherAnswer(AnswerStatus.REFUSED)
MALFORMED = TeacherAnswer(AnswerStatus.MALFORMED)

# A code is one to four tokens; a model that obeys stops after it, and one that does not
# shows by a few more that it wrote something else.
CODE_TOKENS = 8
# {"label": "B"} in any layout.
JSON_TOKENS = 32


class Rung(Protocol):
    """One way to ask for an answer and to read it."""

    @property
    def name(self) -> str:
        """Recorded with each answer, and part of the teacher's fingerprint."""
        ...

    @property
    def format(self) -> AnswerFormat:
        """What the prompt asks for."""
        ...

    @property
    def most_tokens(self) -> int:
        """Tokens that one answer may take."""
        ...

    @property
    def answers(self) -> int:
        """How many answers to one text it reads together."""
        ...

    @property
    def temperature(self) -> float:
        """0 for the likeliest answer; 1 to draw from the model's own distribution."""
        ...

    def fields(self, options: Options) -> Json:
        """What a request has on top of model, messages, length and temperature."""
        ...

    def read(self, choices: Sequence[Choice], options: Options) -> TeacherAnswer:
        """The answer that these choices, at least one, come to; never an exception."""
        ...
