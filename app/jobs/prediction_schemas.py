"""What a prediction job is asked with, and how it and its file are told."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from app.jobs.schemas import (
    EXAMPLE_DATASET,
    EXAMPLE_JOB,
    EXAMPLE_MODEL,
    EXAMPLE_TIME,
    DatasetIdField,
    Metadata,
    ModelNameField,
    Priority,
    Told,
)
from core.ids import MODEL_REFERENCE
from core.lifecycle import JobState
from llkd.specs import AnswerSpec


class PredictionJobCreate(AnswerSpec):
    """A dataset for a model to answer."""

    model: Annotated[str, StringConstraints(pattern=MODEL_REFERENCE)] = Field(
        description="A model's id, its name (its latest version), or `name@alias`. What it means "
        "now is what answers, also if the alias moves meanwhile.",
        examples=["tickets@latest"],
    )
    dataset_id: DatasetIdField = Field(
        description="The texts to answer, each different one once.", examples=[EXAMPLE_DATASET]
    )
    name: ModelNameField = Field(
        default="predictions", description="For people, in lists.", examples=["july-backlog"]
    )
    max_wall_seconds: int = Field(
        default=86_400,
        ge=1,
        le=30 * 86_400,
        description="Time from the first start to the end; when it has passed, an unfinished job "
        "fails.",
        examples=[7200],
    )
    metadata: Metadata = Field(default={})
    priority: Priority = 0


class PredictionProgress(Told):
    """How far a prediction job is."""

    percent: float = Field(ge=0, le=100, examples=[62.5])
    eta_seconds: float | None = Field(description="Null until a rate is measured.", examples=[41])
    rows_done: int = Field(description="Texts answered so far.", examples=[620_000])
    rows: int = Field(description="Texts of the dataset.", examples=[1_000_000])


class LabelRows(Told):
    """How many texts were given a label."""

    label: str = Field(examples=["billing"])
    rows: int = Field(examples=[412_000])


class PredictionCounts(Told):
    """Texts by what became of them; while the job runs, of the parts that are finished."""

    predicted: int = Field(description="Given a label.", examples=[980_000])
    abstained: int = Field(
        description="Best score below `threshold`. With `on_low_confidence: abstain` these have "
        "no label, and `predicted` and `abstained` add up to all texts; with `return` they are "
        "among `predicted`.",
        examples=[20_000],
    )
    truncated: int = Field(description="Longer than the model reads.", examples=[1300])
    empty_input: int = Field(
        description="Blank: their answer is the model's prior. Uploads set such texts aside.",
        examples=[0],
    )
    labels: list[LabelRows] = Field(description="Every label of the model, the commonest first.")


class PredictionJobRead(Told):
    """A prediction job, as it is now."""

    id: str = Field(
        description="Of its job: `/jobs/{id}/events` tells what happened.", examples=[EXAMPLE_JOB]
    )
    object: Literal["prediction_job"] = Field(examples=["prediction_job"])
    name: str = Field(examples=["july-backlog"])
    model: str = Field(description="As it was named in the request.", examples=["tickets@latest"])
    model_id: str = Field(
        description="The immutable model that this meant, and that answers.",
        examples=[EXAMPLE_MODEL],
    )
    dataset_id: str = Field(description="What it answers.", examples=[EXAMPLE_DATASET])
    top_k: int | None = Field(description="As asked.", examples=[3])
    threshold: float | None = Field(description="As asked.", examples=[0.7])
    on_low_confidence: Literal["return", "abstain"] = Field(
        description="As asked.", examples=["abstain"]
    )
    state: JobState = Field(examples=["running"])
    attempt: int = Field(description="How often a worker took it up.", examples=[1])
    cancel_requested_at: datetime | None = Field(examples=[None])
    progress: PredictionProgress = Field(description="How far it is.")
    counts: PredictionCounts | None = Field(description="Null before the first part.")
    error: dict[str, Any] | None = Field(
        description="Of a failed job: a problem document.",
        examples=[{"code": "deadline-exceeded", "detail": "…", "status": 504}],
    )
    max_wall_seconds: int = Field(description="As asked.", examples=[86_400])
    metadata: dict[str, str] = Field(description="As it was given.", examples=[{"team": "cx"}])
    priority: int = Field(description="As it was given.", examples=[0])
    created_at: datetime = Field(examples=[EXAMPLE_TIME])
    started_at: datetime | None = Field(examples=[EXAMPLE_TIME])
    finished_at: datetime | None = Field(examples=[None])
