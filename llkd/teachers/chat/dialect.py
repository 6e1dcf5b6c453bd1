"""What a server wants to be told differently than others."""

import json
from dataclasses import dataclass, replace
from typing import Self

from llkd.teachers.chat.refusals import complains_of
from llkd.types import Json

# A model that thinks before it answers writes its thoughts first, out of the same allowance.
THINKING_TOKENS = 4096


@dataclass(frozen=True)
class Dialect:
    """How a request is written for one server and model.

    Attributes:
        thinks: whether the length is named `max_completion_tokens`. OpenAI's models that
            refuse `max_tokens` are those that think.
        fixed_temperature: whether the model refuses to be told a temperature.
    """

    thinks: bool = False
    fixed_temperature: bool = False

    def most_tokens(self, answer_tokens: int) -> int:
        """Tokens that one answer may take, thoughts among them."""
        return answer_tokens + THINKING_TOKENS if self.thinks else answer_tokens

    def body(self, fields: Json, *, answer_tokens: int, temperature: float) -> bytes:
        """A request as bytes."""
        length = "max_completion_tokens" if self.thinks else "max_tokens"
        request = {**fields, length: self.most_tokens(answer_tokens)}
        if not self.fixed_temperature:
            request["temperature"] = temperature
        return json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()

    def adapted(self, error: object) -> Self | None:
        """The dialect in which to ask again after a 400; None where that is not what is wrong."""
        if not self.thinks and complains_of(error, "max_completion_tokens"):
            return replace(self, thinks=True)
        if not self.fixed_temperature and complains_of(error, "temperature"):
            return replace(self, fixed_temperature=True)
        return None
