"""A label that the server forces the model to choose; how sure it is stays unknown.

Log-probabilities that come with it are no help: they are from before the mask.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from llkd.teachers.chat.matching import Options, json_object
from llkd.teachers.chat.prompt import AnswerFormat
from llkd.teachers.chat.reading import Choice
from llkd.teachers.chat.rungs.base import CODE_TOKENS, JSON_TOKENS, MALFORMED, REFUSED
from llkd.teachers.chat.rungs.text import plain_answer
from llkd.types import AnswerStatus, Json, TeacherAnswer


@dataclass(frozen=True)
class GuidedChoice:
    """One of the codes and nothing else: vLLM's structured outputs."""

    name: ClassVar[str] = "choice"
    format: ClassVar[AnswerFormat] = AnswerFormat.CODE
    most_tokens: ClassVar[int] = CODE_TOKENS
    answers: ClassVar[int] = 1
    temperature: ClassVar[float] = 0.0

    def fields(self, options: Options) -> Json:
        return choice_fields(options.deck.codes)

    def read(self, choices: Sequence[Choice], options: Options) -> TeacherAnswer:
        return _renamed(plain_answer(choices[0], options), self.name)


@dataclass(frozen=True)
class JsonSchema:
    """A JSON object whose label is one of the codes, by a schema."""

    name: ClassVar[str] = "json_schema"
    format: ClassVar[AnswerFormat] = AnswerFormat.JSON
    most_tokens: ClassVar[int] = JSON_TOKENS
    answers: ClassVar[int] = 1
    temperature: ClassVar[float] = 0.0

    def fields(self, options: Options) -> Json:
        return schema_fields(options.deck.codes)

    def read(self, choices: Sequence[Choice], options: Options) -> TeacherAnswer:
        return _renamed(_json_answer(choices[0], options), self.name)


@dataclass(frozen=True)
class JsonMode:
    """Any JSON object; that its label is one of the codes is the model's own doing."""

    name: ClassVar[str] = "json_object"
    format: ClassVar[AnswerFormat] = AnswerFormat.JSON
    most_tokens: ClassVar[int] = JSON_TOKENS
    answers: ClassVar[int] = 1
    temperature: ClassVar[float] = 0.0

    def fields(self, options: Options) -> Json:
        return {"response_format": {"type": "json_object"}}

    def read(self, choices: Sequence[Choice], options: Options) -> TeacherAnswer:
        return _renamed(_json_answer(choices[0], options), self.name)


def choice_fields(choices: Sequence[str]) -> Json:
    """Force the answer to be one of these."""
    return {"structured_outputs": {"choice": sorted(choices)}}


def schema_fields(choices: Sequence[str]) -> Json:
    """Force the answer to be an object whose `label` is one of these."""
    # Sorted, like the choices above: a server compiles one grammar for all decks.
    schema = {
        "type": "object",
        "properties": {"label": {"type": "string", "enum": sorted(choices)}},
        "required": ["label"],
        "additionalProperties": False,
    }
    return {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": schema},
        }
    }


def label_in(text: str) -> str | None:
    """What a text, as a JSON object, gives as its label."""
    found = json_object(text, keys=("label",))
    label = None if found is None else found["label"]
    return label if isinstance(label, str) else None


def _json_answer(choice: Choice, options: Options) -> TeacherAnswer:
    if choice.refused:
        return REFUSED
    named = label_in(choice.text)
    label = None if named is None else options.named_by(named)
    return MALFORMED if label is None else TeacherAnswer(AnswerStatus.ANSWERED, label=label)


def _renamed(answer: TeacherAnswer, name: str) -> TeacherAnswer:
    return TeacherAnswer(answer.status, label=answer.label, rung=name)
