"""Jobs side by side: what was asked, what came of it, and the curves of their training."""

from typing import Any, Literal

from pydantic import Field
from sqlalchemy.orm import Session

from app.jobs.report import tell_training
from app.jobs.report_schemas import TrainingReport
from app.jobs.schemas import EXAMPLE_JOB, Told
from app.jobs.service import find_job
from core.db.repositories.stages import StageRepository
from core.db.tables import JobRow
from core.errors import ErrorItem, NotFound, ValidationFailed
from core.ids import TenantId
from core.lifecycle import JobState, Purpose, Stage

FEWEST, MOST = 2, 20


class ComparedJob(Told):
    job_id: str = Field(examples=[EXAMPLE_JOB])
    name: str = Field(examples=["tickets"])
    state: JobState = Field(examples=["succeeded"])
    from_job: str | None = Field(description="The job whose answers it used.", examples=[None])
    parent_model: str | None = Field(
        description="The model that its student started from.", examples=[None]
    )
    student: dict[str, Any] = Field(description="As asked.", examples=[{"model": "minilm"}])
    selection: dict[str, Any] = Field(description="As asked.", examples=[{"kind": "llkd"}])
    training: dict[str, Any] = Field(description="As asked.", examples=[{"seed": 42}])
    trained: TrainingReport | None = Field(
        description="What it took, and the curve; null until its train stage is done."
    )
    metrics: dict[str, Any] = Field(
        description="Headline figures; empty until its evaluate stage is done.",
        examples=[{"macro_f1": 0.87}],
    )


class Comparison(Told):
    """Jobs in the order of the request."""

    object: Literal["comparison"] = Field(examples=["comparison"])
    same_answers: bool = Field(
        description="Whether all of them learned from the same teacher answers: only then does "
        "a difference come from the student, its parent, the selection or the training alone."
    )
    data: list[ComparedJob] = Field(description="The jobs, in the order they were named.")


def compare_jobs(session: Session, tenant: TenantId, ids: str) -> Comparison:
    """Tell the jobs of this comma-separated list.

    Raises:
        ValidationFailed: fewer than two different ids, or more than twenty.
        NotFound: one of them is not the tenant's, or learns nothing.
    """
    wanted = list(dict.fromkeys(part.strip() for part in ids.split(",")))
    if not FEWEST <= len(wanted) <= MOST:
        message = f"Name {FEWEST} to {MOST} different jobs, separated by commas."
        raise ValidationFailed(message, errors=[ErrorItem("query:ids", "invalid", message)])
    rows = [_find(session, tenant, job_id) for job_id in wanted]
    done = StageRepository(session).of_jobs([row.id for row in rows])
    answers = {
        done[row.id][Stage.LABEL].output["labels"] if Stage.LABEL in done[row.id] else row.id
        for row in rows
    }
    return Comparison(
        object="comparison",
        same_answers=len(answers) == 1,
        data=[
            ComparedJob(
                job_id=row.id,
                name=row.name,
                state=row.state,
                from_job=row.from_job_id,
                parent_model=row.parent_model_id,
                **{part: row.spec[part] for part in ("student", "selection", "training")},
                trained=tell_training(done[row.id]) if Stage.TRAIN in done[row.id] else None,
                metrics=done[row.id][Stage.EVALUATE].output["metrics"]
                if Stage.EVALUATE in done[row.id]
                else {},
            )
            for row in rows
        ],
    )


def _find(session: Session, tenant: TenantId, job_id: str) -> JobRow:
    row = find_job(session, tenant, job_id)
    if row.purpose == Purpose.PREDICT:
        raise NotFound("distillation", job_id)
    return row
