"""What every text is asked: which labels there are, and what they are about."""

from typing import Annotated

from pydantic import Field, StringConstraints, field_validator
from pydantic_core import PydanticCustomError

from llkd.specs.base import Prose, Spec, label_key
from llkd.specs.labels import MAX_LABELS, Label


class TaskSpec(Spec):
    """The labels, in order, and an instruction."""

    labels: Annotated[
        tuple[Label, ...],
        Field(strict=False, min_length=2, max_length=MAX_LABELS, description="What a text can be."),
    ]
    instruction: Annotated[Prose, StringConstraints(max_length=20_000)] = Field(
        default="", examples=["Route the support ticket."]
    )

    @field_validator("labels")
    @classmethod
    def _distinct(cls, labels: tuple[Label, ...]) -> tuple[Label, ...]:
        seen: dict[str, str] = {}
        for label in labels:
            other = seen.setdefault(label_key(label.name), label.name)
            if other is not label.name:
                raise PydanticCustomError(
                    "duplicate-label",
                    "the labels {first} and {second} cannot be told apart",
                    {"first": other, "second": label.name},
                )
        return labels

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.labels)
