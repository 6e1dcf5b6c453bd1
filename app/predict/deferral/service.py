"""Switching deferral on for a model, telling of it, and switching it off."""

import re

from sqlalchemy.orm import Session

from app.predict.deferral.errors import AT_SWITCH
from app.predict.deferral.schemas import DeferralPut, DeferralRead
from app.predict.deferral.sources import find_source
from app.teacher_budgets import check_caps
from core.db.repositories.deferrals import DeferralRepository
from core.db.repositories.jobs import JobRepository
from core.db.repositories.models import ModelRepository
from core.db.tables import ModelDeferralRow, ModelRow
from core.egress.allow_list import AllowList
from core.errors import Gone, NotFound
from core.ids import MODEL_REFERENCE, TenantId
from core.prices import MICROS
from llkd.specs import DistillationSpec, OpenAITeacher

REFERENCE = re.compile(MODEL_REFERENCE)


def put_deferral(
    session: Session,
    tenant: TenantId,
    reference: str,
    body: DeferralPut,
    *,
    allow_list: AllowList,
) -> DeferralRead:
    """Give the model's teacher these caps; what was spent under others counts.

    Raises:
        NotFound, Gone: there is no such model, or no more.
        TeacherNotAskable, TeacherUrlForbidden: its teacher cannot be asked.
        BudgetRequired, PriceUnknown: the caps do not fit its prices.
    """
    model = _model(session, tenant, reference)
    source = find_source(session, tenant, model.id, allow_list, place=AT_SWITCH)
    check_caps(
        [source.teacher.prices],
        max_usd=body.max_usd,
        max_teacher_calls=body.max_teacher_calls,
        at="",
    )
    DeferralRepository(session).switch_on(
        tenant,
        model.id,
        cap_micros=None if body.max_usd is None else round(body.max_usd * MICROS),
        cap_calls=body.max_teacher_calls,
    )
    return _told(session, tenant, model)


def read_deferral(session: Session, tenant: TenantId, reference: str) -> DeferralRead:
    """Caps and spending.

    Raises:
        NotFound: there is no such model, or it is switched off.
        Gone: the model was deleted.
    """
    return _told(session, tenant, _model(session, tenant, reference))


def delete_deferral(session: Session, tenant: TenantId, reference: str) -> None:
    """Switch it off, and forget what was spent.

    Raises:
        NotFound, Gone: as `read_deferral`.
    """
    model = _model(session, tenant, reference)
    if not DeferralRepository(session).switch_off(tenant, model.id):
        raise NotFound("deferral of a model", model.id)


def _model(session: Session, tenant: TenantId, reference: str) -> ModelRow:
    row = None
    if REFERENCE.fullmatch(reference):
        row = ModelRepository(session).resolve(tenant, reference)
    if row is None:
        raise NotFound("model", reference)
    if row.deleted_at is not None:
        raise Gone("model", reference)
    return row


def _told(session: Session, tenant: TenantId, model: ModelRow) -> DeferralRead:
    row = DeferralRepository(session).get(tenant, model.id)
    if row is None:
        raise NotFound("deferral of a model", model.id)
    job = JobRepository(session).get(tenant, model.job_id)
    assert job is not None, "jobs are never deleted"
    teacher = DistillationSpec.model_validate(job.spec).teacher
    assert isinstance(teacher, OpenAITeacher), "no other could be switched on"
    return _tell(row, model, teacher)


def _tell(row: ModelDeferralRow, model: ModelRow, teacher: OpenAITeacher) -> DeferralRead:
    return DeferralRead(
        object="model_deferral",
        model_id=row.model_id,
        job_id=model.job_id,
        teacher_id=teacher.teacher_id,
        base_url=str(teacher.base_url),
        teacher_model=str(teacher.model),
        max_usd=None if row.cap_micros is None else row.cap_micros / MICROS,
        max_teacher_calls=row.cap_calls,
        spent_usd=row.spent_micros / MICROS,
        teacher_calls=row.spent_calls,
        held_usd=row.held_micros / MICROS,
        held_calls=row.held_calls,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
