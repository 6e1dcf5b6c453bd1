"""An earlier job's request, with what a replay changes of it."""

from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.jobs.corrections import check_corrections
from app.jobs.errors import LabelsNotReady
from app.jobs.finished import finished_stages
from app.jobs.schemas import JobCreate, JobReplay
from app.jobs.view import REPLAYABLE, tell_whole_request
from core.artifacts import ArtifactStore
from core.db.repositories.jobs import JobRepository
from core.db.repositories.stages import StageRepository
from core.errors import ErrorItem, ValidationFailed
from core.ids import JobId, TenantId
from core.lifecycle import Stage
from llkd.specs import StudentSpec, students_of


def whole_request(session: Session, tenant: TenantId, replay: JobReplay) -> JobCreate:
    """The request that the replay comes to, defaults not yet resolved.

    With a student that learns at another rate, the rate is that student's.

    Raises:
        ValidationFailed: the tenant has no such job.
        LabelsNotReady: it has, and its label stage is not done yet.
        NoResult: it never will be.
    """
    row = JobRepository(session).get(tenant, JobId(replay.from_job))
    if row is None:
        message = f"There is no job {replay.from_job}."
        raise ValidationFailed(message, errors=[ErrorItem("/from_job", "not-found", message)])
    finished_stages(session, row, needed=Stage.LABEL, result="labels", not_ready=LabelsNotReady)
    base = JobCreate.model_validate(tell_whole_request(row))
    changes = {
        name: value
        for name in ("name", *REPLAYABLE)
        if (value := getattr(replay, name)) is not None
    }
    # Null, too, says something: from the base model, whatever that job started from.
    if "parent_model" in replay.model_fields_set:
        changes["parent_model"] = replay.parent_model
    if replay.student is not None and _rates(replay.student) != _rates(base.student):
        unset = base.training.model_copy(update={"learning_rate": None})
        changes = {"training": unset} | changes
    return base.model_copy(
        update={**changes, "metadata": replay.metadata, "priority": replay.priority}
    )


def find_answers(session: Session, artifacts: ArtifactStore, replay: JobReplay) -> Path:
    """The file of the answers that are replayed, of a job whose label stage is done."""
    labelled = StageRepository(session).get(JobId(replay.from_job))[Stage.LABEL]
    return artifacts.path(labelled.output["labels"])


def checked_corrections(
    replay: JobReplay, body: JobCreate, *, answers: Path
) -> list[dict[str, Any]] | None:
    """The replay's corrections as its row holds them; None without any.

    Reads a file: no transaction should be open meanwhile.

    Args:
        body: what `whole_request` has made of it.
        answers: see `find_answers`.

    Raises:
        ValidationFailed: see `check_corrections`.
    """
    if not replay.corrections:
        return None
    return check_corrections(replay.corrections, names=body.label_names, labels=answers)


def _rates(student: StudentSpec) -> set[float]:
    return {each.usual_learning_rate for each in students_of(student)}
