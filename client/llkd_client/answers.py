"""What came back: its status, and its body as a shape or as an error."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from llkd_client.errors import Problem, Refused, UnexpectedAnswer, refusal

S = TypeVar("S", bound=BaseModel)
NOT_MODIFIED = 304
SHOWN_CHARACTERS = 300


@dataclass(frozen=True)
class Answer:
    """An answer; of one that is read piece by piece, only the head.

    Attributes:
        headers: by lower-case name.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes = field(default=b"", repr=False)

    @property
    def tag(self) -> str | None:
        return self.headers.get("etag")

    @property
    def retry_after(self) -> float | None:
        """Seconds, if it was told in either of its forms."""
        told = self.headers.get("retry-after", "").strip()
        if not told:
            return None
        if told.isascii() and told.isdigit():
            return float(told)
        try:
            at = parsedate_to_datetime(told)
        except ValueError:
            return None
        return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())

    def json(self) -> Any:
        """Raises UnexpectedAnswer: it is something else."""
        try:
            return json.loads(self.content)
        except ValueError as error:
            raise UnexpectedAnswer(
                f"HTTP {self.status} came with a body that is no JSON."
            ) from error

    def read(self, shape: type[S]) -> S:
        return read_shape(shape, self.json())

    def refusal(self) -> Refused | None:
        """The error that this answer is; None if it is what was asked for."""
        if 200 <= self.status < 300 or self.status == NOT_MODIFIED:
            return None
        try:
            told = json.loads(self.content)
        except ValueError:
            told = {"detail": self.content[:SHOWN_CHARACTERS].decode("utf-8", "replace").strip()}
        problem = Problem.read(told, status=self.status)
        return refusal(problem, status=self.status, retry_after=self.retry_after)


def read_shape(shape: type[S], told: Any) -> S:
    """Raises UnexpectedAnswer, which names the fields at fault and never their values."""
    try:
        return shape.model_validate(told)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        places = ", ".join(".".join(map(str, fault["loc"])) or "the body" for fault in faults[:5])
        raise UnexpectedAnswer(f"The answer is no {shape.__name__}: {places}.") from None
