"""Jobs, what happened to them, and what they came to."""

from datetime import datetime

from llkd_client.shapes.base import Json, Shape
from llkd_client.shapes.endings import Endable

# After one of these nothing more happens to a job.
LAST_EVENTS = frozenset({"job.succeeded", "job.failed", "job.cancelled"})


class TeacherCounts(Shape):
    """What became of the texts put to a teacher; None for what is not counted yet."""

    asked: int | None = None
    answered: int | None = None
    cached: int | None = None
    refused: int | None = None
    malformed: int | None = None
    too_long: int | None = None
    failed: int | None = None
    missing: int | None = None


class JobProgress(Shape):
    percent: float = 0.0
    eta_seconds: float | None = None
    rows: int | None = None
    teacher: TeacherCounts = TeacherCounts()
    step: int | None = None
    steps: int | None = None
    selected: int | None = None
    selected_fraction: float | None = None


class JobStage(Shape):
    name: str
    state: str
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def seconds(self) -> float | None:
        """Wall time; None before it has ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


class Usage(Shape):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float = 0.0
    teacher_calls: int = 0


class Waiting(Shape):
    """Why a queued job waits for something else than a free worker."""

    code: str
    detail: str
    since: datetime
    until: datetime


class Job(Endable):
    name: str = ""
    purpose: str = "distill"
    dataset_id: str = ""
    attempt: int = 0
    waiting: Waiting | None = None
    progress: JobProgress = JobProgress()
    stages: list[JobStage] = []
    usage: Usage = Usage()
    metrics: Json = {}
    model_id: str | None = None
    stop_reason: str | None = None
    request: Json = {}
    from_job: str | None = None
    metadata: dict[str, str] = {}
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


class Event(Shape):
    """Something that happened to a job; `id` is where to go on from."""

    id: str
    type: str
    job_id: str
    at: datetime
    data: Json = {}

    @property
    def is_last(self) -> bool:
        return self.type in LAST_EVENTS


class Label(Shape):
    """A text's pseudo-label, or why it has none (`status`)."""

    index: int
    text: str
    role: str
    status: str
    label: str | None = None
    confidence: float | None = None
    confidence_source: str = ""
    probabilities: dict[str, float] | None = None
    cached: bool = False


class Range(Shape):
    """A count that cannot be known before."""

    low: int
    expected: int
    high: int


class Cost(Shape):
    """US dollars."""

    low: float
    expected: float
    high: float


class Seconds(Shape):
    low: int
    high: int
    basis: str = ""


class Estimate(Shape):
    """What a job would take; `pilot` has the forecast, if one was asked for and is ready."""

    rows: int
    evaluation_rows: int = 0
    teacher_calls: Range
    cached: Range | None = None
    tokens: Range | None = None
    cost_usd: Cost | None = None
    seconds: Seconds | None = None
    limit_seconds: Range | None = None
    steps: Range | None = None
    pilot: Json | None = None


class Audit(Shape):
    """Pseudo-labels that are likely wrong, and texts that fit no label."""

    job_id: str
    texts: int
    totals: dict[str, int] = {}
    likely_wrong: list[Json] = []
    contradictions: list[Json] = []
    overlapping_labels: list[Json] = []
    unfitting: list[Json] = []


class Disagreement(Shape):
    """A text that teacher and student label differently."""

    id: str
    index: int
    text: str
    teacher_label: str
    teacher_confidence: float | None = None
    student_label: str
    student_score: float
    gold: str | None = None


class Comparison(Shape):
    """Jobs side by side, and whether they learned from the same answers."""

    same_answers: bool
    data: list[Json]
