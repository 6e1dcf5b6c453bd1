"""What the finished stages of a job left, or whether it is still to come."""

from collections.abc import Callable, Mapping

from sqlalchemy.orm import Session

from app.jobs.errors import NoResult
from core.db.repositories.stages import StageRepository
from core.db.tables import JobRow, JobStageRow
from core.errors import ServiceError
from core.lifecycle import LIVES, Purpose, Stage


def finished_stages(
    session: Session,
    job: JobRow,
    *,
    needed: Stage,
    result: str,
    not_ready: Callable[[str], ServiceError],
) -> Mapping[Stage, JobStageRow]:
    """All finished stages of a job, the needed one among them.

    Args:
        result: what is asked for, for a person; with its article.
        not_ready: makes the error of a job that may still finish the stage, from its id.

    Raises:
        NoResult: it never will.
        ServiceError: that of `not_ready`.
    """
    done = StageRepository(session).get(job.id)
    if needed in done:
        return done
    purpose = Purpose(job.purpose)
    if needed not in LIVES[purpose]:
        kind = purpose.value.replace("_", " ")
        raise NoResult(f"{job.id} is a job of the kind {kind}: it never makes {result}.")
    if job.state.is_terminal:
        raise NoResult(
            f"{job.id} has ended ({job.state.value}) without {result}: there will be none."
        )
    raise not_ready(job.id)
