"""What a dataset is asked for with: the fields beside a file, or rows."""

import codecs
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from app.datasets.options import Encoding, OnBadRow
from core.ids import MODEL_REFERENCE
from core.texts import normalized

MAX_NAME = 200


def _any_string(value: object) -> str:
    """A string as it came: one with a lone surrogate is set aside later, not refused here."""
    if not isinstance(value, str):
        raise ValueError("a string was expected")
    return value


def _empty_is_none(value: object) -> object:
    return None if value == "" else value


def _or_plain_texts(schema: dict[str, Any]) -> None:
    schema["items"] = {"anyOf": [schema["items"], {"type": "string"}]}


AnyString = Annotated[str, PlainValidator(_any_string), WithJsonSchema({"type": "string"})]
BINARY = WithJsonSchema({"type": "string", "format": "binary"})
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME, examples=["support tickets"])]
ColumnName = Annotated[str, Field(min_length=1, max_length=200)]


class FormFields(BaseModel):
    """The text fields beside the file of an uploaded form."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name | None = Field(
        default=None, description="What to call the dataset; its file's name by default."
    )
    text_column: ColumnName = Field(
        default="text", description="The column that holds the texts.", examples=["body"]
    )
    label_column: ColumnName | None = Field(
        default=None,
        description="A column of gold labels, made by people; rows without one stay unlabelled.",
        examples=["category"],
    )
    teacher_label_column: ColumnName | None = Field(
        default=None, description="A column of labels that a teacher gave.", examples=["predicted"]
    )
    teacher_confidence_column: ColumnName | None = Field(
        default=None,
        description="A column with the teacher's probability of its label, in [0, 1].",
        examples=["score"],
    )
    teacher_probabilities_column: ColumnName | None = Field(
        default=None,
        description="A column of JSON objects, label to probability; they sum to 1. A label that "
        "is not named has probability 0. A teacher's label beside them breaks ties.",
        examples=["scores"],
    )
    teacher_votes_column: ColumnName | None = Field(
        default=None,
        description="A column of votes, where a teacher was asked several times, or several "
        'were: a JSON list with a label a vote (`["joy", "joy", "fear"]`) or an object of counts '
        '(`{"joy": 2, "fear": 1}`). Each label\'s share of them is its probability, so that '
        "probabilities or a confidence beside them are refused; a teacher's label beside them "
        "breaks ties.",
        examples=["votes"],
    )
    encoding: Encoding = Field(
        default=Encoding.UTF_8,
        description="Encoding of a text file. A byte order mark is honoured; nothing is guessed.",
        examples=["cp1252"],
    )
    delimiter: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        description="What separates fields: `,` in .csv and a tab in .tsv unless given. "
        "A tab may be written `\\t`.",
        examples=[";"],
    )
    on_bad_row: OnBadRow = Field(
        default=OnBadRow.FAIL,
        description="`fail` refuses a file with a row that cannot be parsed; `skip` sets the row "
        "aside. Texts that parse but cannot be used are set aside either way.",
        examples=["skip"],
    )

    @field_validator(
        "name",
        "label_column",
        "teacher_label_column",
        "teacher_confidence_column",
        "teacher_probabilities_column",
        "teacher_votes_column",
        "delimiter",
        mode="before",
    )
    @classmethod
    def _unfilled(cls, value: object) -> object:
        return _empty_is_none(value)

    @field_validator("name")
    @classmethod
    def _name_prints(cls, value: str | None) -> str | None:
        return value if value is None else printable(value)

    @field_validator(
        "text_column",
        "label_column",
        "teacher_label_column",
        "teacher_confidence_column",
        "teacher_probabilities_column",
        "teacher_votes_column",
    )
    @classmethod
    def _as_headers_are_read(cls, value: str | None) -> str | None:
        return value if value is None else normalized(value)

    @field_validator("encoding", mode="before")
    @classmethod
    def _known_by_any_name(cls, value: object) -> object:
        try:
            asked = codecs.lookup(str(value)).name
        except (LookupError, ValueError):
            return value
        return next((known for known in Encoding if codecs.lookup(known).name == asked), value)

    @field_validator("delimiter", mode="before")
    @classmethod
    def _tab_by_name(cls, value: object) -> object:
        return "\t" if value == "\\t" else value

    @model_validator(mode="after")
    def _votes_stand_alone(self) -> Self:
        refuse_beside_votes(
            self.teacher_votes_column,
            self.teacher_probabilities_column,
            self.teacher_confidence_column,
        )
        return self

    @field_validator("delimiter")
    @classmethod
    def _separates(cls, value: str | None) -> str | None:
        if value is not None and value in '"\r\n\0 ':
            raise ValueError("a delimiter is no quote, space, line break or NUL")
        return value


class DatasetFile(FormFields):
    """An uploaded form: a file, with or without a second one, and how to read them."""

    file: Annotated[bytes, BINARY] = Field(
        description="A .csv, .tsv, .jsonl, .ndjson or .txt file, each also as .gz, or a .parquet "
        "file. Its extension says how it is read."
    )
    answers: Annotated[bytes | None, BINARY] = Field(
        default=None,
        description="A second file, in any of these formats, with a teacher's answers to texts of "
        "the first. The same fields say how it is read: its texts are in `text_column`, its "
        "answers in the teacher's columns, which are then read from it alone. An answer belongs "
        "to the same text, apart from white space around it and from Unicode's ways of writing "
        "one character. Answers to no text, and further, different answers to one text, are set "
        "aside and counted.",
    )


class RowWrite(BaseModel):
    """One text, with what is known of it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    text: AnyString | None = Field(examples=["I was charged twice."])
    label: AnyString | int | None = Field(
        default=None, description="Gold label.", examples=["billing"]
    )
    teacher_label: AnyString | int | None = Field(default=None, examples=["billing"])
    teacher_confidence: float | None = Field(default=None, examples=[0.93])
    teacher_probabilities: dict[str, float] | None = Field(
        default=None, examples=[{"billing": 0.93, "tech": 0.07}]
    )
    teacher_votes: list[AnyString | int | None] | dict[str, int] | None = Field(
        default=None,
        description="A label a vote, or counts by label; neither probabilities nor a confidence "
        "stand beside them.",
        examples=[["billing", "billing", "tech"]],
    )

    @model_validator(mode="after")
    def _votes_stand_alone(self) -> Self:
        refuse_beside_votes(self.teacher_votes, self.teacher_probabilities, self.teacher_confidence)
        return self


class DatasetWrite(BaseModel):
    """A dataset small enough to send as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Name
    rows: list[RowWrite] = Field(
        description="Texts, plain or as objects; at least 32 different ones.",
        examples=[["I was charged twice.", {"text": "The app crashes.", "label": "tech"}]],
        json_schema_extra=_or_plain_texts,
    )

    @field_validator("name")
    @classmethod
    def _name_prints(cls, value: str) -> str:
        return printable(value)

    @field_validator("rows", mode="before")
    @classmethod
    def _plain_texts(cls, value: object) -> object:
        if not isinstance(value, list):
            return value
        return [{"text": row} if isinstance(row, str) else row for row in value]


class DatasetOfKeptTexts(BaseModel):
    """A dataset of the texts that a model was unsure of, as they are kept now."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Name
    kept_texts_of: Annotated[str, Field(pattern=MODEL_REFERENCE)] = Field(
        description="A model whose unsure texts are kept, by id, name or `name@alias`. The texts "
        "alone become rows: its answers to them are those that it was unsure of. They stay kept.",
        examples=["tickets@latest"],
    )

    @field_validator("name")
    @classmethod
    def _name_prints(cls, value: str) -> str:
        return printable(value)


def refuse_beside_votes(votes: object, *others: object) -> None:
    """Raise ValueError where votes stand beside another source of confidence."""
    if votes is not None and any(other is not None for other in others):
        raise ValueError(
            "votes give a probability to each label; give neither probabilities nor a confidence "
            "beside them"
        )


def printable(name: str) -> str:
    """A name as it is shown: NFC, without white space around it.

    Raises:
        ValueError: nothing is left, or it holds characters that do not print.
    """
    shown = normalized(name)
    if not shown or not shown.isprintable():
        raise ValueError("a name has printable characters only")
    return shown
