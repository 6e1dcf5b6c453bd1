"""What a report card is asked with, and how it is told."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from app.jobs.budget import BudgetSpec
from app.jobs.evaluation_schemas import CONFUSION, LabelScores, ShareRead
from app.jobs.schemas import (
    EXAMPLE_DATASET,
    EXAMPLE_JOB,
    EXAMPLE_TIME,
    DatasetIdField,
    TeacherCounts,
    Told,
)
from core.lifecycle import JobState
from llkd.specs.task import TaskSpec
from llkd.specs.teachers import EXAMPLE_TEACHER, ExamplesPerLabel

FEWEST_ROWS, MOST_ROWS = 50, 200


class ReportCardCreate(TaskSpec):
    """A few texts to put to a stored teacher, as a job with these labels would."""

    dataset_id: DatasetIdField = Field(
        description="Where the texts come from: those with gold first, by lot.",
        examples=[EXAMPLE_DATASET],
    )
    rows: int = Field(
        default=100,
        ge=FEWEST_ROWS,
        le=MOST_ROWS,
        description="Texts to ask about. Each is asked about twice, so this makes twice as many "
        "calls; `budget.max_teacher_calls` may allow fewer, and not fewer than 100.",
        examples=[100],
    )
    confidence: Literal["auto", "logprobs", "votes", "verbalised", "none"] = Field(
        default="auto", description="As in a job's teacher.", examples=["auto"]
    )
    votes: int = Field(default=5, ge=2, le=25, description="As in a job's teacher.", examples=[5])
    examples_per_label: ExamplesPerLabel = 4
    budget: BudgetSpec = Field(
        default=BudgetSpec(),
        description="What it may cost; a teacher that costs money needs one, as for a job.",
    )


class GoldRead(Told):
    """Answers against gold labels."""

    rows: int = Field(description="Texts with gold.", examples=[100])
    accuracy: ShareRead = Field(description="Texts without an answer count as wrong.")
    macro_f1: ShareRead = Field(description="Mean F1 of the labels that occur.")
    ece: float | None = Field(
        description="Expected calibration error of the confidences, in 15 bins; null where they "
        "are unknown.",
        examples=[0.08],
    )
    per_label: list[LabelScores] = Field(description="In the order of `labels`.")
    confusion: list[list[int]] = Field(
        description="Gold by answer, in the order of `labels`.", examples=[CONFUSION]
    )


class ConsistencyRead(Told):
    """Answers against those to the same texts with the labels in another order."""

    rows: int = Field(description="Texts that were answered in both.", examples=[98])
    same: ShareRead = Field(description="Of them, those with the same label.")
    ece: float | None = Field(
        description="Expected calibration error of the confidences as the chance that a label "
        "stays; null where they are unknown.",
        examples=[0.11],
    )
    confusion: list[list[int]] = Field(
        description="First by second answer, in the order of `labels`.", examples=[CONFUSION]
    )


class CardRead(Told):
    """What the answers tell."""

    texts: int = Field(description="Texts drawn.", examples=[100])
    answers: TeacherCounts = Field(description="What became of them in the first order.")
    models: list[str] = Field(
        description="Names under which the server answered.", examples=[["gpt-4o-mini-2024-07-18"]]
    )
    rungs: list[str] = Field(description="How the answers were got.", examples=[["top_logprobs"]])
    confidence_source: str = Field(
        description="Where the confidences come from.", examples=["label_logprob"]
    )
    gold: GoldRead | None = Field(description="Null where no text has gold.")
    consistency: ConsistencyRead | None = Field(
        description="Null where no text was answered in both orders."
    )
    calls: int = Field(description="Answers that were bought.", examples=[200])
    usd: float | None = Field(
        description="What they cost; null where nobody has told the prices.", examples=[0.012]
    )
    usd_per_row: float | None = Field(
        description="Null, too, where all answers were stored.", examples=[0.00006]
    )
    rows_per_second: float | None = Field(
        description="While it was asked; null where nothing was bought.", examples=[41.5]
    )
    cut_short: Literal["budget", "time"] | None = Field(
        description="What had questions left out.", examples=[None]
    )


class ReportCardRead(Told):
    """A look at one teacher, and the job that takes it."""

    object: Literal["report_card"] = Field(examples=["report_card"])
    job_id: str = Field(description="Follow or cancel it as any job.", examples=[EXAMPLE_JOB])
    teacher_id: str = Field(examples=[EXAMPLE_TEACHER])
    model: str = Field(description="As it was asked for.", examples=["gpt-4o-mini"])
    dataset_id: str = Field(examples=[EXAMPLE_DATASET])
    labels: list[str] = Field(description="Names, in order.", examples=[["billing", "tech"]])
    state: JobState = Field(examples=["succeeded"])
    error: dict[str, Any] | None = Field(
        description="Of a failed one: a problem document.", examples=[None]
    )
    card: CardRead | None = Field(description="Null until it has succeeded.")
    created_at: datetime = Field(examples=[EXAMPLE_TIME])
    finished_at: datetime | None = Field(examples=[EXAMPLE_TIME])


class ReportCards(Told):
    """Report cards in the order of the request."""

    object: Literal["report_cards"] = Field(examples=["report_cards"])
    same_texts: bool = Field(
        description="Whether all teachers were asked the same of the same texts: only then does a "
        "difference come from the teacher.",
        examples=[True],
    )
    data: list[ReportCardRead] = Field(description="In the order in which they were named.")
