"""Models, their aliases, and what they answer."""

from datetime import datetime

from llkd_client.shapes.base import Json, Shape
from llkd_client.shapes.endings import Endable


class Model(Shape):
    id: str
    name: str
    version: int
    aliases: list[str] = []
    labels: list[str]
    base_model: str = ""
    parent_model_id: str | None = None
    metrics: Json = {}
    export: Json = {}
    serving: Json = {}
    size_bytes: int = 0
    job_id: str
    created_at: datetime


class Alias(Shape):
    """A name for a version, that can be moved.

    Attributes:
        previous_model_id: told by a move.
        etag: stands for it as it is; told by `client.models.alias`.
    """

    name: str
    alias: str
    model_id: str
    version: int
    moved_at: datetime
    previous_model_id: str | None = None
    etag: str | None = None


class Score(Shape):
    label: str
    score: float


class Prediction(Shape):
    """One text's answer; `label` is None where the model abstained."""

    index: int
    label: str | None
    score: float | None
    abstained: bool = False
    answered_by: str = "student"
    deferral: str | None = None
    truncated: bool = False
    windows: int = 1
    empty_input: bool = False
    scores: list[Score] = []


class Predictions(Shape):
    """Answers in the texts' order, of one model, which is named by its id."""

    model: str
    data: list[Prediction]
    usage: Json = {}


class Classification(Shape):
    """`POST /v1/classify`: answers in vLLM's shape."""

    id: str
    model: str
    data: list[Json]
    usage: Json = {}


class KeptText(Shape):
    """A text that a model was unsure of."""

    id: str
    text: str
    label: str
    score: float
    reason: str
    created_at: datetime


class Keeping(Shape):
    """Which texts of a model's traffic are kept, and how many were."""

    model_id: str
    below: float
    max_rows: int
    counts: dict[str, int] = {}


class Deferral(Shape):
    """Whom a model passes hard texts to, within what budget, and what was spent."""

    model_id: str
    job_id: str = ""
    teacher_id: str | None = None
    max_usd: float | None = None
    max_teacher_calls: int | None = None
    spent_usd: float = 0.0
    teacher_calls: int = 0


class Drift(Shape):
    """How the served texts' answers have moved away from those of the evaluation."""


class PredictionJob(Endable):
    """A model answering a whole dataset."""

    name: str = ""
    model: str
    model_id: str
    dataset_id: str
    progress: Json = {}
    counts: Json | None = None
    metadata: dict[str, str] = {}
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
