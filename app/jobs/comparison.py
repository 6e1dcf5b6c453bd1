"""Jobs side by side: what was asked, what came of it, and the curves of their training."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field
from sqlalchemy.orm import Session

from app.jobs.evaluation_schemas import ShareRead
from app.jobs.report import tell_data_efficiency, tell_training
from app.jobs.schemas import EXAMPLE_JOB, Told
from app.jobs.service import find_job
from app.jobs.training_report_schemas import DataPoint, TrainingReport
from core.artifacts import ArtifactStore
from core.db.repositories.stages import StageRepository
from core.db.session import Database
from core.db.tables import JobRow, JobStageRow
from core.errors import ErrorItem, NotFound, ValidationFailed
from core.ids import TenantId
from core.lifecycle import JobState, Purpose, Stage
from core.measured_files import Measured, read_measured
from llkd.bootstrap import paired_differences

FEWEST, MOST = 2, 20


class DifferenceInterval(Told):
    """A difference with its 95 % interval."""

    value: float = Field(ge=-1, le=1, examples=[0.021])
    low: float = Field(ge=-1, le=1, examples=[-0.004])
    high: float = Field(ge=-1, le=1, examples=[0.047])


class DifferenceRead(Told):
    """This job's student less the first named job's, on the same texts with gold.

    From a paired bootstrap over the texts: both are measured on the same draws, so an interval
    without 0 in it says more than two intervals that do not meet. It knows nothing of how much
    another seed would change.
    """

    rows: int = Field(description="Texts with gold that measured both.", examples=[1000])
    accuracy: DifferenceInterval
    macro_f1: DifferenceInterval


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
    data_efficiency: list[DataPoint] | None = Field(
        description="As in the report; null, too, until its train stage is done."
    )
    metrics: dict[str, Any] = Field(
        description="Headline figures; empty until its evaluate stage is done.",
        examples=[{"macro_f1": 0.87}],
    )
    accuracy: ShareRead | None = Field(
        description="The student's against gold; null without, or until it is measured."
    )
    macro_f1: ShareRead | None = Field(description="The same.")
    difference: DifferenceRead | None = Field(
        description="Null of the first job, and where the two were not measured on the same texts "
        "with the same gold and labels, or by a release that kept no answers, or the texts' "
        "dataset is deleted."
    )


class Comparison(Told):
    """Jobs in the order of the request."""

    object: Literal["comparison"] = Field(examples=["comparison"])
    same_answers: bool = Field(
        description="Whether all of them learned from the same teacher answers: only then does "
        "a difference come from the student, its parent, the selection or the training alone."
    )
    data: list[ComparedJob] = Field(description="The jobs, in the order they were named.")


@dataclass(frozen=True)
class _Measured:
    """Which texts with gold measured a job, and where both answers to them stand."""

    dataset_id: str
    labels: tuple[str, ...]
    file: Path


def compare_jobs(
    database: Database, artifacts: ArtifactStore, tenant: TenantId, ids: str
) -> Comparison:
    """Tell the jobs of this comma-separated list.

    Raises:
        ValidationFailed: fewer than two different ids, or more than twenty.
        NotFound: one of them is not the tenant's, or learns nothing.
    """
    wanted = list(dict.fromkeys(part.strip() for part in ids.split(",")))
    if not FEWEST <= len(wanted) <= MOST:
        message = f"Name {FEWEST} to {MOST} different jobs, separated by commas."
        raise ValidationFailed(message, errors=[ErrorItem("query:ids", "invalid", message)])
    with database.read() as session:
        rows = [_find(session, tenant, job_id) for job_id in wanted]
        done = StageRepository(session).of_jobs([row.id for row in rows])
        answers = {
            done[row.id][Stage.LABEL].output["labels"] if Stage.LABEL in done[row.id] else row.id
            for row in rows
        }
        told = [_tell(row, done[row.id]) for row in rows]
        measured = [_measured(artifacts, row, done[row.id]) for row in rows]
    # Files are read, and draws made, with no transaction open.
    differences = [_difference(measured[0], each) for each in measured[1:]]
    return Comparison(
        object="comparison",
        same_answers=len(answers) == 1,
        data=[
            told[0],
            *(
                each.model_copy(update={"difference": difference})
                for each, difference in zip(told[1:], differences, strict=True)
            ),
        ],
    )


def _tell(row: JobRow, done: Mapping[Stage, JobStageRow]) -> ComparedJob:
    evaluated = done[Stage.EVALUATE].output if Stage.EVALUATE in done else None
    student = None if evaluated is None else evaluated["report"]["student"]
    return ComparedJob(
        job_id=row.id,
        name=row.name,
        state=row.state,
        from_job=row.from_job_id,
        parent_model=row.parent_model_id,
        **{part: row.spec[part] for part in ("student", "selection", "training")},
        trained=tell_training(done) if Stage.TRAIN in done else None,
        data_efficiency=tell_data_efficiency(done) if Stage.TRAIN in done else None,
        metrics={} if evaluated is None else evaluated["metrics"],
        accuracy=None if student is None else ShareRead(**student["accuracy"]),
        macro_f1=None if student is None else ShareRead(**student["macro_f1"]),
        difference=None,
    )


def _measured(
    artifacts: ArtifactStore, row: JobRow, done: Mapping[Stage, JobStageRow]
) -> _Measured | None:
    """None where no gold measured, or by a release that kept no answers."""
    output = done[Stage.EVALUATE].output if Stage.EVALUATE in done else {}
    kept = output.get("disagreements")
    if kept is None or kept["source"] != "gold":
        return None
    return _Measured(
        row.evaluation_dataset_id or row.dataset_id,
        tuple(label["name"] for label in row.spec["labels"]),
        artifacts.path(output["measured"]),
    )


def _difference(first: _Measured | None, second: _Measured | None) -> DifferenceRead | None:
    if first is None or second is None:
        return None
    if (first.dataset_id, first.labels) != (second.dataset_id, second.labels):
        return None
    one, other = _read(first), _read(second)
    if one is None or other is None or not _same_rows(one, other):
        return None
    accuracy, macro_f1 = paired_differences(
        one.gold, one.student, other.student, class_count=len(first.labels), seed=0
    )
    return DifferenceRead(
        rows=len(one.gold),
        accuracy=DifferenceInterval(**asdict(accuracy)),
        macro_f1=DifferenceInterval(**asdict(macro_f1)),
    )


def _read(measured: _Measured) -> Measured | None:
    """None where the file went with its dataset."""
    return read_measured(measured.file) if measured.file.exists() else None


def _same_rows(one: Measured, other: Measured) -> bool:
    return np.array_equal(one.index, other.index) and np.array_equal(one.gold, other.gold)


def _find(session: Session, tenant: TenantId, job_id: str) -> JobRow:
    row = find_job(session, tenant, job_id)
    if row.purpose == Purpose.PREDICT:
        raise NotFound("distillation", job_id)
    return row
