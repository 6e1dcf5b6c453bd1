"""What a job is asked with, and how it is told."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
)

from app.jobs.budget import BudgetSpec
from app.jobs.corrections import MOST_CORRECTIONS, Correction
from core.ids import MODEL_REFERENCE, WORD
from core.lifecycle import JobState, Purpose, Stage, StopReason
from llkd.specs import DistillationSpec, SelectionSpec, Spec, StudentSpec, TrainingSpec

DATASET_ID = r"^ds_[0-9A-HJKMNP-TV-Z]{26}$"
JOB_ID = r"^job_[0-9A-HJKMNP-TV-Z]{26}$"
MODEL_NAME = rf"^{WORD}$"
METADATA_KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}")
MAX_METADATA = 16

EXAMPLE_DATASET = "ds_01JZ8PW3N6C4Q0G7H2K5M9R1TB"
EXAMPLE_JOB = "job_01JZ8Q1V7F2D9S3X6A4E8B0YCW"
EXAMPLE_MODEL = "model_01JZ8Q4ZK3V9W2T5R7X1M6N0PD"
EXAMPLE_TIME = "2026-07-01T12:00:00Z"


def _plain_pairs(value: dict[str, str]) -> dict[str, str]:
    for key, text in value.items():
        if METADATA_KEY.fullmatch(key) is None:
            raise ValueError("a metadata key is 1 to 64 of A-Z a-z 0-9 _ . -")
        if "\0" in text:
            raise ValueError("metadata may not contain NUL")
    return value


ModelNameField = Annotated[str, StringConstraints(pattern=MODEL_NAME)]
Metadata = Annotated[
    dict[str, Annotated[str, StringConstraints(max_length=500)]],
    Field(
        max_length=MAX_METADATA,
        description=f"Up to {MAX_METADATA} pairs of your own, to find the job by.",
        examples=[{"team": "cx"}],
    ),
    AfterValidator(_plain_pairs),
]
Priority = Annotated[
    int, Field(ge=-100, le=100, description="Higher ones are started first.", examples=[0])
]
ParentModel = Annotated[
    str | None,
    Field(
        pattern=MODEL_REFERENCE,
        description="A model to start from instead of its base model, by id, name or `name@alias`, "
        "which the answer tells as the id that it meant. It has the same labels in the same "
        "order; `student` is the parent's unless something of it is given, and what is given may "
        "not contradict it but for `trainable`.",
        examples=["tickets@latest"],
    ),
]
DatasetIdField = Annotated[str, StringConstraints(pattern=DATASET_ID)]


class EvaluationSpec(Spec):
    """What the teacher and the student are measured on."""

    dataset_id: DatasetIdField | None = Field(
        default=None,
        description="A dataset with gold labels. Null: the gold rows of `dataset_id` itself "
        "measure, up to a fifth of it, and are not trained on; without any, only the agreement "
        "with the teacher is known.",
        examples=[EXAMPLE_DATASET],
    )


class JobCreate(DistillationSpec):
    """A distillation to run: labels and a teacher are required, everything else has a default."""

    name: ModelNameField = Field(
        default="model", description="Name of the model to make.", examples=["tickets"]
    )
    dataset_id: DatasetIdField = Field(
        description="The texts to learn from.", examples=[EXAMPLE_DATASET]
    )
    parent_model: ParentModel = None
    evaluation: EvaluationSpec = Field(default=EvaluationSpec(), description="What to measure on.")
    budget: BudgetSpec = Field(default=BudgetSpec(), description="What the job may cost.")
    metadata: Metadata = Field(default={})
    priority: Priority = 0

    def spec(self) -> DistillationSpec:
        """The distillation alone, without what the service adds."""
        fields = {name: getattr(self, name) for name in DistillationSpec.model_fields}
        return DistillationSpec.model_construct(**fields)


class EstimateRequest(JobCreate):
    """A job to estimate, as it would be queued."""

    pilot: bool = Field(
        default=False,
        description="Also ask the teacher about 300 texts, as a job of its own, and forecast from "
        "them what more answers would bring. Ask again with the same body for the outcome; the "
        "answers are stored, and the job itself does not buy them again.",
    )


class JobReplay(Spec):
    """An earlier job once more, on the answers that it has: nothing is asked of a teacher.

    Dataset, labels, teacher and evaluation are that job's; what is given here replaces
    what that job had.
    """

    from_job: Annotated[str, StringConstraints(pattern=JOB_ID)] = Field(
        description="A job whose label stage is done.", examples=[EXAMPLE_JOB]
    )
    name: ModelNameField | None = Field(
        default=None, description="Name of the model to make.", examples=["tickets"]
    )
    confidence: Literal["auto", "given", "estimated"] | None = Field(
        default=None, description="Which confidence of the pseudo-labels counts."
    )
    corrections: Annotated[
        tuple[Correction, ...], Field(strict=False, max_length=MOST_CORRECTIONS)
    ] = Field(
        default=(),
        description="Labels that a person gives in the place of that job's answers, or where it "
        "has none. Those that it was given itself go on to count, unless one here is of the same "
        "text.",
        examples=[[{"index": 17, "label": "billing"}]],
    )
    parent_model: ParentModel = None
    student: StudentSpec | None = Field(default=None, description="The encoder that learns.")
    selection: SelectionSpec | None = Field(
        default=None, description="Which samples are worth a gradient step."
    )
    training: TrainingSpec | None = Field(
        default=None, description="How it learns; replaces the whole of that job's."
    )
    metadata: Metadata = Field(default={})
    priority: Priority = 0


def _kind_of(body: Any) -> str:
    is_replay = isinstance(body, JobReplay) or (isinstance(body, Mapping) and "from_job" in body)
    return "(replay)" if is_replay else "(new)"


JobBody = Annotated[
    Annotated[JobCreate, Tag("(new)")] | Annotated[JobReplay, Tag("(replay)")],
    Discriminator(_kind_of),
]
EstimateBody = Annotated[
    Annotated[EstimateRequest, Tag("(new)")] | Annotated[JobReplay, Tag("(replay)")],
    Discriminator(_kind_of),
]


class Told(BaseModel):
    """Anything read off a row: every field is always there."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TeacherCounts(Told):
    """Texts by what became of them; all null before the first.

    asked = answered + refused + malformed + too_long + failed + missing.
    """

    asked: int | None = Field(description="Put to the teacher, now or before.", examples=[8200])
    answered: int | None = Field(description="Given a label of the set.", examples=[8170])
    cached: int | None = Field(
        description="Of those asked, answered before and not bought again.", examples=[1200]
    )
    refused: int | None = Field(description="The teacher declined.", examples=[12])
    malformed: int | None = Field(description="The answer was no label.", examples=[18])
    too_long: int | None = Field(description="More than the teacher reads.", examples=[0])
    failed: int | None = Field(
        description="The server gave no answer, however often it was asked.", examples=[0]
    )
    missing: int | None = Field(description="No answer was provided.", examples=[0])


class Progress(Told):
    """How far a job is; null where it is not known yet."""

    percent: float = Field(ge=0, le=100, examples=[62.5])
    eta_seconds: float | None = Field(description="Null until rates are measured.", examples=[410])
    rows: int | None = Field(description="Texts labelled, or predicted, so far.", examples=[20000])
    teacher: TeacherCounts = Field(description="Answers of the teacher.")
    step: int | None = Field(description="Batches of the pool behind.", examples=[1200])
    steps: int | None = Field(description="Batches at the most.", examples=[1920])
    optimizer_steps: int | None = Field(description="Steps that taught.", examples=[97])
    selected: int | None = Field(description="Samples trained on so far.", examples=[5120])
    selected_fraction: float | None = Field(
        description="Share of the samples seen that were trained on.", examples=[0.26]
    )


class StageRead(Told):
    """One stage of the job; stages that have not begun are not listed."""

    name: Stage = Field(examples=["label"])
    state: Literal["running", "succeeded", "failed", "cancelled", "waiting"] = Field(
        description="`waiting`: begun, and the job is queued to go on.", examples=["succeeded"]
    )
    started_at: datetime | None = Field(examples=[EXAMPLE_TIME])
    finished_at: datetime | None = Field(examples=[EXAMPLE_TIME])


class Usage(Told):
    """What the teacher has cost."""

    input_tokens: int | None = Field(description="Null when unknown.", examples=[812345])
    output_tokens: int | None = Field(description="Null when unknown.", examples=[9012])
    cost_usd: float = Field(description="Calls in flight at a crash included.", examples=[1.84])
    teacher_calls: int = Field(description="Counted against the budget.", examples=[8200])


class Waiting(Told):
    """Why a queued job is not taken up although workers may be free: its teacher cannot be
    asked. A job that waits a day without an answer fails."""

    code: str = Field(
        description="`teacher-unavailable`, `teacher-auth` (the key was refused) or "
        "`teacher-quota` (the account has nothing left).",
        examples=["teacher-unavailable"],
    )
    detail: str = Field(examples=["20 attempts failed in a row; the last one: server, status 503."])
    since: datetime = Field(description="When it was first put aside.", examples=[EXAMPLE_TIME])
    until: datetime = Field(
        description="When it tries again; at once after its stored teacher got a new key.",
        examples=[EXAMPLE_TIME],
    )


class JobRead(Told):
    """A job, as it is now."""

    id: str = Field(examples=[EXAMPLE_JOB])
    object: Literal["job"] = Field(examples=["job"])
    name: str = Field(description="Name of the model it makes.", examples=["tickets"])
    purpose: Purpose = Field(
        description="A model (`distill`), a forecast from a few answers (`pilot`), a look at a "
        "teacher (`report_card`), or a model's answers to a dataset (`predict`).",
        examples=["distill"],
    )
    dataset_id: str = Field(description="What it reads.", examples=[EXAMPLE_DATASET])
    state: JobState = Field(examples=["running"])
    stage: Stage | None = Field(
        description="The stage it is in or was in last.", examples=["train"]
    )
    attempt: int = Field(description="How often a worker took it up.", examples=[1])
    cancel_requested_at: datetime | None = Field(examples=[None])
    waiting: Waiting | None = Field(description="Null unless it waits for its teacher.")
    progress: Progress = Field(description="How far it is.")
    stages: list[StageRead] = Field(description="The stages that have begun, in order.")
    usage: Usage = Field(description="What it has cost.")
    metrics: dict[str, Any] = Field(
        description="Headline figures, once there are any.", examples=[{"macro_f1": 0.87}]
    )
    model_id: str | None = Field(description="Once it succeeded.", examples=[EXAMPLE_MODEL])
    stop_reason: StopReason | None = Field(
        description="Why training ended. `budget`, `time`: a cap on calls or money, or the time "
        "for labelling, had texts left out.",
        examples=["early_stopping"],
    )
    error: dict[str, Any] | None = Field(
        description="Of a failed job: a problem document.",
        examples=[{"code": "teacher-unusable", "detail": "…", "status": 422}],
    )
    request: dict[str, Any] = Field(
        description="What was asked, with every default filled in.",
        examples=[{"name": "tickets", "priority": 0}],
    )
    from_job: str | None = Field(
        description="The job whose answers are used again.", examples=[None]
    )
    retry_of: str | None = Field(
        description="The failed or cancelled job that this one tries again.", examples=[None]
    )
    metadata: dict[str, str] = Field(description="As it was given.", examples=[{"team": "cx"}])
    created_at: datetime = Field(examples=[EXAMPLE_TIME])
    started_at: datetime | None = Field(examples=[EXAMPLE_TIME])
    finished_at: datetime | None = Field(examples=[None])


class EventRead(Told):
    """Something that happened to a job."""

    id: str = Field(description="Grows; pass it as `after` or Last-Event-ID.", examples=["17"])
    object: Literal["event"] = Field(examples=["event"])
    # A string, not the enum: a worker of the next release may write types unknown here.
    type: str = Field(examples=["stage.finished"])
    job_id: str = Field(examples=[EXAMPLE_JOB])
    at: datetime = Field(examples=[EXAMPLE_TIME])
    data: dict[str, Any] = Field(
        description="Depends on the type.", examples=[{"stage": "label", "attempt": 1}]
    )
