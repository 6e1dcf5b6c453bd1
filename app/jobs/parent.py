"""The model that a job's student starts from: found, fitting, and not being deleted."""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from app.jobs.schemas import JobCreate
from core.db.repositories.jobs import JobRepository
from core.db.repositories.models import ModelRepository
from core.db.repositories.stages import StageRepository
from core.db.tables import ModelRow
from core.errors import ErrorItem, Gone, ValidationFailed
from core.ids import ModelId, TenantId
from core.lifecycle import Stage
from llkd.specs import SingleStudent, StudentChoice

Request = TypeVar("Request", bound=JobCreate)

_POINTER = "/parent_model"
_STUDENT: TypeAdapter[SingleStudent] = TypeAdapter(SingleStudent)
# What the parent's weights and its served form decide.
_FIXED = ("model", "revision", "max_length")
_SHOWN = 10


def with_parent(session: Session, tenant: TenantId, body: Request) -> Request:
    """The request, defaults not yet resolved, with its parent's id and its parent's student.

    Raises:
        ValidationFailed: the tenant has no such model, or labels or student are others.
        Gone: it was deleted.
    """
    if body.parent_model is None:
        return body
    parent = _find(session, tenant, body.parent_model)
    _check_labels(body.label_names, parent)
    student = _fitting(body, parent, _student_of(session, parent))
    return body.model_copy(update={"parent_model": parent.id, "student": student})


def hold_parent(session: Session, tenant: TenantId, model_id: str | None) -> None:
    """Keep the parent, if there is one, from being deleted until this transaction ends.

    Raises:
        Gone: it was deleted since it was found.
    """
    if model_id is None:
        return
    row = ModelRepository(session).hold(tenant, ModelId(model_id))
    if row is None or row.deleted_at is not None:
        raise Gone("model", model_id, pointer=_POINTER)


def _find(session: Session, tenant: TenantId, reference: str) -> ModelRow:
    row = ModelRepository(session).resolve(tenant, reference)
    if row is None:
        raise _refusal(_POINTER, "not-found", f"There is no model {reference}.")
    if row.deleted_at is not None:
        raise Gone("model", reference, pointer=_POINTER)
    return row


def _check_labels(wanted: Sequence[str], parent: ModelRow) -> None:
    """The last layer is kept, and has an output for each of the parent's labels, in order."""
    if list(wanted) == parent.labels:
        return
    lacking = [name for name in parent.labels if name not in wanted]
    added = [name for name in wanted if name not in parent.labels]
    told = [
        f"{what}: {_listed(names)}"
        for what, names in (("missing", lacking), ("not among the parent's", added))
        if names
    ]
    difference = "; ".join(told) or f"in another order; the parent's is {_listed(parent.labels)}"
    message = (
        f"A student that starts from {parent.id} has its labels in its order. {difference}. "
        "For other labels leave `parent_model` out."
    )
    raise _refusal("/labels", "parent-labels", message)


def _student_of(session: Session, parent: ModelRow) -> SingleStudent:
    """What the parent was made as: of several candidates the one that was kept."""
    job = JobRepository(session).get(parent.tenant_id, parent.job_id)
    assert job is not None, "jobs are never deleted"
    done = StageRepository(session).get(job.id)
    candidate = done[Stage.TRAIN].output.get("candidate") if Stage.TRAIN in done else None
    # Jobs of the first releases trained one student, and did not say which.
    return _STUDENT.validate_python((candidate or job.spec)["student"])


def _fitting(body: JobCreate, parent: ModelRow, student: SingleStudent) -> SingleStudent:
    """The parent's student, with what the request may say of it."""
    asked = body.student
    if "student" not in body.model_fields_set:
        return student
    if isinstance(asked, StudentChoice):
        message = f"A student that starts from {parent.id} is one {student.kind}, without a choice."
        raise _refusal("/student/candidates", "parent-student", message)
    said = {name: getattr(asked, name) for name in asked.model_fields_set}
    fixed = {"kind": asked.kind} | {name: said[name] for name in _FIXED if name in said}
    for name, value in fixed.items():
        theirs = getattr(student, name)
        if value != theirs:
            message = f"The student of {parent.id} has the {name} {theirs!r}, not {value!r}."
            raise _refusal(f"/student/{name}", "parent-student", message)
    return student.model_copy(update=said)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(map(repr, names[:_SHOWN])) + (f" and {more} more" if more > 0 else "")


def _refusal(pointer: str, code: str, message: str) -> ValidationFailed:
    return ValidationFailed(message, errors=[ErrorItem(pointer, code, message)])
