"""How a failed job tells what went wrong: an RFC 9457 problem document in its row."""

from core.errors import ModelUnavailable
from llkd.errors import LlkdError
from worker.protocol import Json

# A job has no HTTP exchange; the status says whose the fault is, as it would in one.
STATUS_OF_CODE = {
    "deadline-exceeded": 504,
    "export-mismatch": 500,
    ModelUnavailable.code: ModelUnavailable.status,
    "distillation-failed": 500,
    "parent-model-damaged": 500,
    "teacher-out-of-memory": 500,
    "teacher-unavailable": 503,
}
UNPROCESSABLE = 422
# Of codes that the API has too: a reader meets one title.
TITLE_OF_CODE = {ModelUnavailable.code: ModelUnavailable.title}


def problem(code: str, *, title: str, detail: str, stage: str) -> Json:
    """A problem document as the API's own errors are, with the stage it happened in."""
    return {
        "type": f"/problems/{code}",
        "title": title,
        "status": STATUS_OF_CODE.get(code, UNPROCESSABLE),
        "detail": detail,
        "code": code,
        "stage": stage,
    }


def method_failed(error: LlkdError, *, stage: str) -> Json:
    """The method cannot go on; its message is written for a person."""
    title = TITLE_OF_CODE.get(error.code, error.code.replace("-", " ").capitalize())
    return problem(error.code, title=title, detail=str(error), stage=stage)


def teacher_silent(code: str, detail: str, *, stage: str) -> Json:
    """The teacher cannot be asked now; a job that waits a day for it fails with this."""
    title = code.replace("-", " ").capitalize()
    return problem(code, title=title, detail=detail, stage=stage)


def deadline_passed(stage: str) -> Json:
    return problem(
        "deadline-exceeded",
        title="Deadline exceeded",
        detail=f"The job reached its max_wall_seconds during stage {stage}.",
        stage=stage,
    )
