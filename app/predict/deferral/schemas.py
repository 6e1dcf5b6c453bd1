"""What a model's teacher may be asked at prediction: as it is given, and as it is told."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.teacher_budgets import MaxTeacherCalls, MaxUsd
from llkd.specs.base import Spec
from llkd.specs.teachers import EXAMPLE_TEACHER

EXAMPLE_MODEL = "model_01JZ8Q4ZK3V9W2T5R7X1M6N0PD"
EXAMPLE_JOB = "job_01JZ8Q1V7F2D9S3X6A4E8B0YCW"
EXAMPLE_TIME = "2026-07-01T12:00:00Z"


class DeferralPut(Spec):
    """Caps on what the model's teacher may be asked at prediction, from the first time on.

    A teacher whose tokens have a price needs one of them, and one whose price is unknown
    `max_teacher_calls` alone, as in a job's `budget`; one that is free needs none.
    """

    max_usd: MaxUsd = Field(
        default=None,
        description="Money for teacher calls, those made before included. Null: no such cap.",
        examples=[5.0],
    )
    max_teacher_calls: MaxTeacherCalls = Field(
        default=None,
        description="Texts put to the teacher, those put before included; one text may take "
        "several requests. Null: no such cap.",
        examples=[20000],
    )


class DeferralRead(BaseModel):
    """Caps, and what of them is used. A cap binds what is spent and held together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    object: Literal["model_deferral"] = Field(examples=["model_deferral"])
    model_id: str = Field(
        description="The immutable model; its name may move on to another one.",
        examples=[EXAMPLE_MODEL],
    )
    job_id: str = Field(
        description="The job that made the model: its teacher, labels and prices are used.",
        examples=[EXAMPLE_JOB],
    )
    teacher_id: str | None = Field(
        description="The stored connection whose key is sent along; null: no key.",
        examples=[EXAMPLE_TEACHER],
    )
    base_url: str = Field(
        description="Where the teacher is asked.", examples=["https://api.openai.com/v1"]
    )
    teacher_model: str = Field(
        description="The teacher's name on its server.", examples=["gpt-4o-mini"]
    )
    max_usd: float | None = Field(description="Null: no such cap.", examples=[5.0])
    max_teacher_calls: int | None = Field(description="Null: no such cap.", examples=[20000])
    spent_usd: float = Field(description="Since it was switched on.", examples=[0.37])
    teacher_calls: int = Field(
        description="Texts put to the teacher since it was switched on, without those whose "
        "answer was there already.",
        examples=[412],
    )
    held_usd: float = Field(
        description="The most that calls under way can cost. What a process held that died stays "
        "held as long as the model's calls follow each other closely, and counts against the cap "
        "all the time; the first call after a pause of some minutes counts it as spent.",
        examples=[0.0],
    )
    held_calls: int = Field(description="Calls under way, as `held_usd`.", examples=[0])
    created_at: datetime = Field(description="When it was switched on.", examples=[EXAMPLE_TIME])
    updated_at: datetime = Field(description="When its caps were given.", examples=[EXAMPLE_TIME])
