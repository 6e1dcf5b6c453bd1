"""How a dataset, its texts and its issues are told."""

import json
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from app.datasets.options import Part
from core.db.tables import DatasetRow

DATASET_ID = "ds_01K0ABCDEFGHJKMNPQRSTVWXYZ"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class DatasetColumns(BaseModel):
    """Which column of the file played which part."""

    text: str = Field(examples=["body"])
    label: str | None = Field(examples=["category"])
    teacher_label: str | None = Field(examples=[None])
    teacher_confidence: str | None = Field(examples=[None])
    teacher_probabilities: str | None = Field(examples=[None])
    teacher_votes: str | None = Field(examples=[None])
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


class AnswersRead(BaseModel):
    """What was counted in the second file; rows = matched + repeated + set_aside."""

    source_sha256: str = Field(description="Digest of the bytes that were sent.", examples=[SHA256])
    rows: int = Field(examples=[7393])
    matched: int = Field(description="Answers that found their text.", examples=[5893])
    repeated: int = Field(
        description="Rows that say once more what one before said of the same text.", examples=[0]
    )
    set_aside: int = Field(description="Rows that give no text its answer.", examples=[1500])
    set_aside_by_code: dict[str, int] = Field(
        description="`text-not-there`: no text of the dataset is this one; `another-answer`: the "
        "text had one before that says something else; `no-answer`: there is only a text.",
        examples=[{"text-not-there": 1500}],
    )
    ignored: list[str] = Field(
        description="Columns of the second file that were not read.", examples=[["id"]]
    )


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
        description="Labels and teacher's answers that do not count; their texts were kept. "
        "`bad-label`, `bad-teacher-answer`: it makes no sense; `another-answer`: a copy of the "
        "text says something else before.",
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
    answers: AnswersRead | None = Field(
        description="What was counted in a second file of answers; null without one.",
        examples=[None],
    )


class DatasetRead(BaseModel):
    """A dataset: immutable, known by what was counted while it was read."""

    id: str = Field(examples=[DATASET_ID])
    object: Literal["dataset"]
    name: str = Field(examples=["support tickets"])
    created_at: datetime = Field(examples=["2026-07-01T09:30:00Z"])
    source_sha256: str = Field(description="Digest of the bytes that were sent.", examples=[SHA256])
    size_bytes: int = Field(
        description="How many bytes were sent, or a model's kept texts came to.", examples=[2000408]
    )
    columns: DatasetColumns
    statistics: DatasetStatistics

    @model_validator(mode="before")
    @classmethod
    def _read_row(cls, row: Any) -> Any:
        if not isinstance(row, DatasetRow):
            return row
        # The first datasets were counted before there were votes, or second files.
        counted = {"answers": None, **row.statistics}
        return {
            "id": row.id,
            "object": "dataset",
            "name": row.name,
            "created_at": row.created_at,
            "source_sha256": row.source_sha256,
            "size_bytes": row.size_bytes,
            "columns": {"teacher_votes": None, **counted.pop("columns")},
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
    teacher_votes: dict[str, int] | None = Field(examples=[None])

    @model_validator(mode="before")
    @classmethod
    def _read_first_ones(cls, entry: Any) -> Any:
        # The files of the first datasets have no column of votes.
        return {"teacher_votes": None, **entry} if isinstance(entry, dict) else entry

    @field_validator("teacher_probabilities", "teacher_votes", mode="before")
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
    part: Part = Field(description="The part of the form it is in.", examples=["file"])

    @model_validator(mode="before")
    @classmethod
    def _read_first_ones(cls, entry: Any) -> Any:
        # The files of the first datasets have no such column: one file was all there was.
        return {"part": Part.FILE, **entry} if isinstance(entry, dict) else entry
