"""One way to ask, tried on a server: does the reply show that it works?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llkd.teachers.chat.calling import Call, Failure
from llkd.teachers.chat.dialect import Dialect
from llkd.teachers.chat.errors import TeacherSilent
from llkd.teachers.chat.exchange import Exchange, Messages
from llkd.teachers.chat.matching import Options
from llkd.teachers.chat.prompt import AnswerFormat, ChatPrompt
from llkd.teachers.chat.reading import Choice, choices_of
from llkd.teachers.chat.rungs.base import Rung
from llkd.teachers.chat.task import ChatTask
from llkd.types import AnswerStatus, Json

# Says of a rung and a reply's choices, at least one, why the rung does not hold; None if
# it does.
Judge = Callable[[Rung, Sequence[Choice], Options], str | None]


@dataclass(frozen=True)
class Step:
    """One rung that was tried; `why_not` is None where it held."""

    rung: str
    why_not: str | None = None


class Trial:
    """Asks about texts whose labels are plain, and notes what came of it.

    Attributes:
        exchange: what was asked, by a dialect that it learns on the way.
        steps: what was tried, in order.
        texts: to ask about, of two labels: one may be answered oddly by chance.
    """

    def __init__(self, call: Call, *, model: str, task: ChatTask) -> None:
        self.exchange = Exchange(call, model, Dialect())
        self.steps: list[Step] = []
        self.texts = [
            label.examples[0] if label.examples else f"{label.name} {label.description}".strip()
            for label in task.labels[:2]
        ]
        self._prompts = {each: ChatPrompt(task, each) for each in AnswerFormat}

    def prompt(self, wanted: AnswerFormat) -> ChatPrompt:
        return self._prompts[wanted]

    def note(self, rung: Rung, why_not: str | None) -> Rung | None:
        """Write down a step; returns its rung if it held."""
        self.steps.append(Step(rung.name, why_not))
        return rung if why_not is None else None

    async def tried(self, rung: Rung, holds: Judge) -> Rung | None:
        """The rung, if a reply to one of the texts shows that it holds."""
        found = None
        for text in self.texts:
            choices = await self.asked(rung, text)
            if isinstance(choices, str):
                return self.note(rung, choices)
            found = self.judged(rung, choices, holds, text=text)
            if found is not None:
                break
        return found

    def judged(
        self, rung: Rung, choices: Sequence[Choice], holds: Judge, *, text: str
    ) -> Rung | None:
        """The rung, if this reply shows that it holds."""
        if not choices:
            return self.note(rung, "the reply has no answer")
        options = self.prompt(rung.format).options(text)
        return self.note(rung, holds(rung, choices, options))

    async def asked(self, rung: Rung, text: str) -> tuple[Choice, ...] | str:
        """The choices of a reply about a text, or why there is none."""
        prompt = self.prompt(rung.format)
        return await self.choices(prompt.messages(text), rung.fields(prompt.options(text)), rung)

    async def choices(
        self, messages: Messages, fields: Json, rung: Rung
    ) -> tuple[Choice, ...] | str:
        """The choices of a reply to these fields, or why there is none.

        A server that names a field it does not take is asked again without it.
        """
        while True:
            called = await self.exchange.ask(
                messages,
                fields,
                answer_tokens=rung.most_tokens,
                temperature=rung.temperature,
            )
            if called.reply is not None:
                return choices_of(called.reply)
            adapted = self._adapted(called.failure)
            if adapted is None:
                return "the server refuses the request"
            self.exchange.dialect = adapted

    def _adapted(self, failure: Failure | None) -> Dialect | None:
        if failure is None or failure.kind == "gave_up":
            raise TeacherSilent(f"No answer came from {self.exchange.model!r}.")
        return self.exchange.dialect.adapted(failure.body)


def has_confidence(rung: Rung, choices: Sequence[Choice], options: Options) -> str | None:
    """Judges a rung that reads probabilities."""
    if rung.read(choices, options).confidence is not None:
        return None
    if not choices[0].listed:
        return "the reply has no log-probabilities"
    return "the answer's first token is no code"


def names_a_label(rung: Rung, choices: Sequence[Choice], options: Options) -> str | None:
    """Judges a rung that reads labels."""
    answered = rung.read(choices, options).status is AnswerStatus.ANSWERED
    return None if answered else "the reply names no label"
