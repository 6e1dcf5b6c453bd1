"""A label, and how sure of it the model says it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from llkd.teachers.chat.matching import Options, json_object
from llkd.teachers.chat.prompt import AnswerFormat
from llkd.teachers.chat.reading import Choice, number
from llkd.teachers.chat.rungs.base import JSON_TOKENS, MALFORMED, REFUSED
from llkd.types import AnswerStatus, ConfidenceSource, Json, TeacherAnswer


@dataclass(frozen=True)
class Verbalised:
    """Asks for a whole number from 0 to 100 beside the label."""

    name: ClassVar[str] = "verbalised"
    format: ClassVar[AnswerFormat] = AnswerFormat.SCORED
    most_tokens: ClassVar[int] = JSON_TOKENS
    answers: ClassVar[int] = 1
    temperature: ClassVar[float] = 0.0

    def fields(self, options: Options) -> Json:
        return {}

    def read(self, choices: Sequence[Choice], options: Options) -> TeacherAnswer:
        if choices[0].refused:
            return REFUSED
        found = json_object(choices[0].text, keys=("label", "confidence"))
        if found is None or not isinstance(found["label"], str):
            return MALFORMED
        label = options.named_by(found["label"])
        percent = number(found["confidence"])
        # 0.9 may mean 90 % or less than 1 %: it is not what was asked for.
        if label is None or percent is None or not (0 <= percent <= 100 and percent % 1 == 0):
            return MALFORMED
        return TeacherAnswer(
            AnswerStatus.ANSWERED,
            label=label,
            confidence=percent / 100,
            confidence_source=ConfidenceSource.VERBALISED,
            rung=self.name,
        )
