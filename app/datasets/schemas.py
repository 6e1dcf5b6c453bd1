"""What a dataset looks like from outside: asked for, and answered."""

import codecs
import json
from datetime import datetime
from typing import Annotated, Any, Literal

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
from app.datasets.rows import normalized
from core.db.tables import DatasetRow

MAX_NAME = 200
DATASET_ID = "ds_01K0ABCDEFGHJKMNPQRSTVWXYZ"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


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
        description="A column of JSON objects, label to probability.",
        examples=["scores"],
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

    @field_validator("delimiter")
    @classmethod
    def _separates(cls, value: str | None) -> str | None:
        if value is not None and value in '"\r\n\0 ':
            raise ValueError("a delimiter is no quote, space, line break or NUL")
        return value


class DatasetFile(FormFields):
    """An uploaded form: one file, and how to read it."""

    file: Annotated[bytes, WithJsonSchema({"type": "string", "format": "binary"})] = Field(
        description="A .csv, .tsv, .jsonl, .ndjson or .txt file, each also as .gz, or a .parquet "
        "file. Its extension says how it is read."
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


class DatasetColumns(BaseModel):
    """Which column of the file played which part."""

    text: str = Field(examples=["body"])
    label: str | None = Field(examples=["category"])
    teacher_label: str | None = Field(examples=[None])
    teacher_confidence: str | None = Field(examples=[None])
    teacher_probabilities: str | None = Field(examples=[None])
    ignored: list[str] = Field(
        description="Columns of the file that were not read.", examples=[["id", "created"]]
    )


class Characters(BaseModel):
    """Lengths of the different texts, in characters."""

    min: int = Field(examples=[7])
    median: float = Field(examples=[86.0])
    p95: float = Field(examples=[208.0])
    max: int = Field(examples=[300])
    mean: float = Field(examples=[96.89])


class DatasetStatistics(BaseModel):
    """What was counted while reading; rows = unique + duplicates + set_aside."""

    rows: int = Field(examples=[16000])
    unique: int = Field(description="Different texts.", examples=[15953])
    duplicates: int = Field(
        description="Rows whose text had appeared before; they count as copies of it.",
        examples=[45],
    )
    set_aside: int = Field(description="Rows without a usable text.", examples=[2])
    set_aside_by_code: dict[str, int] = Field(examples=[{"empty-text": 2}])
    values_dropped_by_code: dict[str, int] = Field(
        description="Labels and teacher's answers that made no sense; their texts were kept.",
        examples=[{"bad-teacher-answer": 1}],
    )
    characters: Characters
    gold: dict[str, int] | None = Field(
        description="Texts by gold label; null without a label column.",
        examples=[{"billing": 830, "tech": 1204}],
    )
    gold_conflicts: int = Field(
        description="Texts whose copies have different gold labels; the first one counts.",
        examples=[0],
    )
    teacher_answers: int = Field(
        description="Texts that came with a teacher's answer.", examples=[0]
    )


class DatasetRead(BaseModel):
    """A dataset: immutable, known by what was counted while it was read."""

    id: str = Field(examples=[DATASET_ID])
    object: Literal["dataset"]
    name: str = Field(examples=["support tickets"])
    created_at: datetime = Field(examples=["2026-07-01T09:30:00Z"])
    source_sha256: str = Field(description="Digest of the bytes that were sent.", examples=[SHA256])
    size_bytes: int = Field(description="How many bytes were sent.", examples=[2000408])
    columns: DatasetColumns
    statistics: DatasetStatistics

    @model_validator(mode="before")
    @classmethod
    def _read_row(cls, row: Any) -> Any:
        if not isinstance(row, DatasetRow):
            return row
        counted = dict(row.statistics)
        return {
            "id": row.id,
            "object": "dataset",
            "name": row.name,
            "created_at": row.created_at,
            "source_sha256": row.source_sha256,
            "size_bytes": row.size_bytes,
            "columns": counted.pop("columns"),
            "statistics": counted,
        }


class TextRead(BaseModel):
    """One different text of a dataset."""

    index: int = Field(description="Its place in the order of first appearance.", examples=[0])
    line: int = Field(description="Line, or row, of its first appearance.", examples=[2])
    text: str = Field(examples=["I was charged twice."])
    copies: int = Field(description="How often it is in the file.", examples=[1])
    gold: str | None = Field(examples=["billing"])
    teacher_label: str | None = Field(examples=["billing"])
    teacher_confidence: float | None = Field(examples=[0.93])
    teacher_probabilities: dict[str, float] | None = Field(examples=[None])

    @field_validator("teacher_probabilities", mode="before")
    @classmethod
    def _as_stored(cls, value: object) -> object:
        return json.loads(value) if isinstance(value, str) else value


class IssueRead(BaseModel):
    """A row that was set aside, or a value that was dropped from a row that was kept."""

    index: int = Field(description="Its place among the issues.", examples=[0])
    line: int = Field(description="Line, or row, where it begins.", examples=[17])
    column: str | None = Field(description="Null when the whole row is meant.", examples=["body"])
    code: str = Field(examples=["empty-text"])
    message: str = Field(examples=["the text is empty or only white space"])


def printable(name: str) -> str:
    """A name as it is shown: NFC, without white space around it.

    Raises:
        ValueError: nothing is left, or it holds characters that do not print.
    """
    shown = normalized(name)
    if not shown or not shown.isprintable():
        raise ValueError("a name has printable characters only")
    return shown
