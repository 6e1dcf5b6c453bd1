"""What a text can be."""

import unicodedata
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from llkd.specs.base import Prose, Spec, Text

MAX_LABELS = 1000


class Label(Spec):
    """One class, as told to the teacher."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100)] = Field(
        examples=["billing"]
    )
    description: Annotated[Prose, StringConstraints(max_length=2000)] = Field(
        default="", examples=["Invoices and refunds"]
    )
    # JSON has no tuple: under `strict` a list would be refused where one is declared.
    examples: Annotated[tuple[Text, ...], Field(strict=False, max_length=1000)] = Field(
        default=(), examples=[["I was charged twice"]]
    )

    @field_validator("name")
    @classmethod
    def _printable(cls, value: str) -> str:
        if not value.strip() or value != value.strip():
            raise ValueError("a label may not be blank, nor begin or end with a space")
        if any(unicodedata.category(character)[0] == "C" for character in value):
            raise ValueError("a label may not contain control or invisible characters")
        return value
