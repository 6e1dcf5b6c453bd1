"""Datasets, their rows, and rows that were set aside."""

from datetime import datetime

from llkd_client.shapes.base import Json, Shape


class DatasetStatistics(Shape):
    rows: int
    unique: int
    duplicates: int
    set_aside: int
    set_aside_by_code: dict[str, int] = {}
    gold: dict[str, int] | None = None
    teacher_answers: int = 0


class Dataset(Shape):
    id: str
    name: str
    created_at: datetime
    size_bytes: int
    columns: Json = {}
    statistics: DatasetStatistics


class Text(Shape):
    """A row of a dataset, with what is known of it."""

    index: int
    line: int
    text: str
    copies: int = 1
    gold: str | None = None
    teacher_label: str | None = None
    teacher_confidence: float | None = None
    teacher_probabilities: dict[str, float] | None = None
    teacher_votes: dict[str, int] | None = None


class Issue(Shape):
    """A row that was set aside, or a value that was dropped: where, and why."""

    index: int
    line: int
    column: str | None = None
    code: str
    message: str
    part: str = "file"
