"""Which teacher stands behind a model, and all that decides how it is asked."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session

from app.predict.deferral.errors import DeferralOff, Place, TeacherNotAskable
from app.teacher_urls import allowed_endpoint
from core.db.repositories.deferrals import DeferralRepository
from core.db.repositories.jobs import JobRepository
from core.db.repositories.models import ModelRepository
from core.db.repositories.teachers import TeacherRepository, key_owner
from core.db.tables import JobRow
from core.egress.allow_list import AllowList
from core.errors import Gone, NotFound
from core.ids import JobId, ModelId, TeacherId, TenantId
from core.lifecycle import PROBED, server_name
from llkd.specs import DistillationSpec, OpenAITeacher
from llkd.teachers.chat.probed import Probed
from llkd.teachers.chat.task import ChatTask

Json = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """A model's teacher, as its job asked it; two are equal if they are asked alike.

    Attributes:
        teacher: with its address, model, limits and prices.
        known: what its server turned out to offer; `Probed` as JSON.
        sealed_key: what is sent along, sealed for `key_owner`; None: no key.
    """

    tenant: TenantId
    model_id: ModelId
    job_id: JobId
    teacher: OpenAITeacher
    task: ChatTask
    known: Json
    sealed_key: Json | None = field(repr=False)
    key_owner: str

    @property
    def label_names(self) -> tuple[str, ...]:
        """In the model's order, which is its job's."""
        return tuple(label.name for label in self.task.labels)


def find_source(
    session: Session,
    tenant: TenantId,
    model_id: ModelId,
    allow_list: AllowList,
    *,
    place: Place,
) -> Source:
    """The teacher of the job that made this model.

    Args:
        place: what in the request asks for it, for those to whom it is refused.

    Raises:
        NotFound, Gone: there is no such model, or no more.
        TeacherNotAskable: it cannot be asked from here.
        TeacherUrlForbidden: the operator does not list its server, or no longer.
    """
    model = ModelRepository(session).get(tenant, model_id)
    if model is None:
        raise NotFound("model", model_id)
    if model.deleted_at is not None:
        raise Gone("model", model_id)
    job = JobRepository(session).get(tenant, model.job_id)
    assert job is not None, "jobs are never deleted"
    spec = _spec(job, place)
    if not isinstance(spec.teacher, OpenAITeacher):
        told = f"it is of the kind `{spec.teacher.kind}`, and not `openai`"
        raise TeacherNotAskable(told, place)
    allowed_endpoint(str(spec.teacher.base_url), allow_list, pointer=place.pointer)
    sealed_key, owner = _key(session, tenant, spec.teacher, place)
    return Source(
        tenant,
        model_id,
        job.id,
        spec.teacher,
        ChatTask(spec.labels, spec.instruction, spec.teacher.examples_per_label),
        known=_known(
            session, job, place, server=server_name(spec.teacher.base_url, spec.teacher.model)
        ),
        sealed_key=sealed_key,
        key_owner=owner,
    )


def require_switched_on(session: Session, tenant: TenantId, model_id: ModelId) -> datetime:
    """When the model's teacher was given its caps.

    Raises:
        DeferralOff: it has none.
    """
    row = DeferralRepository(session).get(tenant, model_id)
    if row is None:
        raise DeferralOff(model_id)
    return row.updated_at


def _spec(job: JobRow, place: Place) -> DistillationSpec:
    try:
        return DistillationSpec.model_validate(job.spec)
    except ValidationError as error:
        told = f"its job {job.id} was queued by another version of this service"
        raise TeacherNotAskable(told, place) from error


def _key(
    session: Session, tenant: TenantId, teacher: OpenAITeacher, place: Place
) -> tuple[Json | None, str]:
    """The stored connection's sealed key as it is now, and for whom it is sealed."""
    if teacher.teacher_id is None:
        return None, ""
    row = TeacherRepository(session).get(tenant, TeacherId(teacher.teacher_id))
    if row is None or row.deleted_at is not None:
        told = f"the connection {teacher.teacher_id} was deleted, and its key"
        raise TeacherNotAskable(told, place)
    return row.sealed_key, key_owner(row)


def _known(session: Session, job: JobRow, place: Place, *, server: str) -> Json:
    """What the job found that its server offers, or the job whose answers it took over."""
    at: JobRow | None = job
    while at is not None:
        known: Json | None = at.progress_detail.get(PROBED, {}).get(server)
        if known is not None:
            return _understood(known, place)
        earlier = at.from_job_id
        at = None if earlier is None else JobRepository(session).get(at.tenant_id, earlier)
    raise TeacherNotAskable(f"nobody has noted how {job.id} asked its server", place)


def _understood(known: Json, place: Place) -> Json:
    try:
        Probed.from_json(known)
    except (KeyError, TypeError, ValueError) as error:
        told = "the way in which its job asked is unknown to this version of the service"
        raise TeacherNotAskable(told, place) from error
    return known
