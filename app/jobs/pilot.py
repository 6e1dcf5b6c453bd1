"""Pilots: a few answers are bought to forecast what more would bring, and jobs score it."""

import hashlib
import math
from typing import Any, Literal

import numpy as np
import orjson
from pydantic import Field
from sqlalchemy.orm import Session

from app.jobs import checks
from app.jobs.desk import Desk
from app.jobs.errors import ForecastNotReady
from app.jobs.finished import finished_stages
from app.jobs.rows import new_row, queue_row
from app.jobs.schemas import EXAMPLE_JOB, JobCreate, Told
from app.jobs.service import find_job
from app.jobs.teacher_checks import hold_teachers
from core.db.repositories.inserts import IdempotencyKeyTaken
from core.db.repositories.jobs import JobRepository
from core.db.repositories.stages import StageRepository
from core.db.tables import JobRow, JobStageRow
from core.ids import DatasetId, TenantId
from core.lifecycle import JobState, Purpose, Stage

Json = dict[str, Any]
# Begins with a character that no caller's key has.
PILOT_KEY = "\x01pilot"
# As many texts as a worker's pilot asks about.
PILOT_CALLS = 300
# What must be equal for a pilot's forecast to be about a job.
DECIDES = ("labels", "instruction", "teacher", "prior")


class ForecastPoint(Told):
    """What so many answers are expected to lead to, with a 95 % interval."""

    answers: int = Field(description="Of the teacher.", examples=[2400])
    value: float = Field(ge=0, le=1, examples=[0.71])
    low: float = Field(ge=0, le=1, examples=[0.62])
    high: float = Field(ge=0, le=1, examples=[0.8])


class ForecastRead(Told):
    """Macro-F1 by the number of answers bought: a cheap student's learning curve, continued."""

    against: Literal["gold", "teacher"] = Field(
        description="What the macro-F1 is of: gold labels, or, where fewer than 50 are known, "
        "agreement with the teacher.",
        examples=["gold"],
    )
    measured_on: int = Field(description="Texts that measured.", examples=[500])
    points: list[ForecastPoint] = Field(description="Twice the answers each time.")


class PilotRead(Told):
    """The job that buys the answers, and what came of it."""

    job_id: str = Field(examples=[EXAMPLE_JOB])
    state: JobState = Field(description="Ask again until it has ended.", examples=["succeeded"])
    error: Json | None = Field(description="Of a failed one: a problem document.", examples=[None])
    forecast: ForecastRead | None = Field(description="Null until it has succeeded.")


class ForecastScore(Told):
    """A forecast that was made for a job, beside what it came to."""

    pilot_job_id: str = Field(description="Whose forecast it is.", examples=[EXAMPLE_JOB])
    forecast: ForecastPoint = Field(description="For as many answers as the job has.")
    actual: float = Field(description="The student's macro-F1 on gold.", examples=[0.73])
    inside: bool = Field(description="Whether that lies in the interval.", examples=[True])


def find_or_start(desk: Desk, *, tenant: TenantId, body: JobCreate) -> PilotRead:
    """The newest pilot for this question; a new one if there is none, or it did not succeed.

    Raises:
        Gone: a dataset or a teacher was deleted since it was checked.
        TooManyJobs: this tenant has as many unfinished ones as are allowed.
    """
    with desk.database.write() as session:
        checks.hold_datasets(session, tenant, body)
        hold_teachers(session, tenant, body.teacher)
        earlier = _pilots(session, tenant, body)
        if earlier and earlier[0].state not in {JobState.FAILED, JobState.CANCELLED}:
            return _tell(session, earlier[0])
        row = new_row(
            body,
            tenant=tenant,
            idempotency_key=f"{PILOT_KEY}:{_question(body)}:{len(earlier)}",
            digest=_question(body),
        )
        row.purpose = Purpose.PILOT.value
        row.cap_calls = min(PILOT_CALLS, row.cap_calls or PILOT_CALLS)
        try:
            queue_row(session, row, settings=desk.settings, bell=desk.bell)
        except IdempotencyKeyTaken:
            # Its twin came first.
            return _tell(session, _pilots(session, tenant, body)[0])
        return _tell(session, row)


def read_forecast(session: Session, tenant: TenantId, job_id: str) -> ForecastRead:
    """A pilot's own forecast; nothing is bought, and it outlives the dataset.

    Raises:
        NotFound: no such job.
        ForecastNotReady: its forecast stage is not done yet.
        NoResult: it never will be, or the job is no pilot.
    """
    job = find_job(session, tenant, job_id)
    done = finished_stages(
        session, job, needed=Stage.FORECAST, result="a forecast", not_ready=ForecastNotReady
    )
    return _forecast_of(done[Stage.FORECAST])


def score_forecast(
    session: Session, job: JobRow, *, answers: int, actual: float | None
) -> ForecastScore | None:
    """The newest forecast made before the job, at the answers it has; None without one.

    A forecast against the teacher is not scored: no figure of a job is quite that.
    """
    if actual is None:
        return None
    for pilot in JobRepository(session).pilots(job.tenant_id, job.dataset_id):
        is_about = _decides(pilot.spec) == _decides(job.spec) and (
            pilot.evaluation_dataset_id == job.evaluation_dataset_id
        )
        forecast = _forecast(session, pilot)
        if is_about and pilot.id < job.id and forecast is not None and forecast.against == "gold":
            point = _at(forecast, answers)
            return ForecastScore(
                pilot_job_id=pilot.id,
                forecast=point,
                actual=actual,
                inside=point.low <= actual <= point.high,
            )
    return None


def _pilots(session: Session, tenant: TenantId, body: JobCreate) -> list[JobRow]:
    digest = _question(body)
    pilots = JobRepository(session).pilots(tenant, DatasetId(body.dataset_id))
    return [row for row in pilots if row.request_sha256 == digest]


def _question(body: JobCreate) -> str:
    """Sha256 of what decides a forecast; the student that is asked for does not."""
    asked = _decides(body.spec().model_dump(mode="json"))
    asked |= {"dataset": body.dataset_id, "evaluation": body.evaluation.dataset_id}
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _decides(spec: Json) -> Json:
    return {name: spec.get(name) for name in DECIDES}


def _tell(session: Session, row: JobRow) -> PilotRead:
    return PilotRead(
        job_id=row.id, state=row.state, error=row.error, forecast=_forecast(session, row)
    )


def _forecast(session: Session, pilot: JobRow) -> ForecastRead | None:
    done = StageRepository(session).get(pilot.id)
    if Stage.FORECAST not in done:
        return None
    return _forecast_of(done[Stage.FORECAST])


def _forecast_of(done: JobStageRow) -> ForecastRead:
    return ForecastRead.model_validate(done.output["forecast"])


def _at(forecast: ForecastRead, answers: int) -> ForecastPoint:
    """The curve at this number, on a straight line over its logarithm between two points."""
    places = [math.log(point.answers) for point in forecast.points]
    place = math.log(max(1, answers))
    figures = {
        name: float(np.interp(place, places, [getattr(point, name) for point in forecast.points]))
        for name in ("value", "low", "high")
    }
    return ForecastPoint(answers=answers, **figures)
