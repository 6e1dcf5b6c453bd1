"""Teachers behind a wire: what a job's spec says of them is completed, and may it cost anything?"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session

from app.jobs.budget import BudgetSpec
from app.jobs.schemas import JobCreate
from app.teacher_budgets import check_caps
from app.teacher_urls import allowed_endpoint
from core.db.repositories.teachers import TeacherRepository
from core.db.tables import TeacherRow
from core.egress.allow_list import AllowList
from core.errors import ErrorItem, Gone, ValidationFailed
from core.ids import TeacherId, TenantId
from core.prices import PriceTable
from llkd.specs import EnsembleTeacher, OpenAITeacher, SingleTeacher, TokenPrices

Teacher = SingleTeacher | EnsembleTeacher


def complete_teacher(
    session: Session,
    tenant: TenantId,
    teacher: Teacher,
    *,
    allow_list: AllowList,
    prices: PriceTable,
) -> Teacher:
    """The same teacher with all that decides how its servers are asked, but for their keys.

    A connection's address, model, limits and prices are filled in where the request says
    nothing, so that a job means the same however the connection changes after. The connection's
    prices are its model's: for another model the operator's table is asked.

    Raises:
        ValidationFailed: the tenant has no such connection, or it has another address.
        Gone: the connection was deleted.
        InvalidTeacherUrl, TeacherUrlForbidden: a server may not be called.
    """
    match teacher:
        case OpenAITeacher():
            return _complete(
                session, tenant, teacher, "/teacher", allow_list=allow_list, prices=prices
            )
        case EnsembleTeacher():
            members = tuple(
                _complete(session, tenant, member, pointer, allow_list=allow_list, prices=prices)
                if isinstance(member, OpenAITeacher)
                else member
                for pointer, member in _members(teacher)
            )
            return teacher.model_copy(update={"teachers": members})
        case _:
            return teacher


def with_teacher(
    session: Session,
    tenant: TenantId,
    body: JobCreate,
    *,
    allow_list: AllowList,
    prices: PriceTable,
) -> JobCreate:
    """The request with its teacher completed; raises what `complete_teacher` raises."""
    teacher = complete_teacher(session, tenant, body.teacher, allow_list=allow_list, prices=prices)
    return body.model_copy(update={"teacher": teacher})


def hold_teachers(session: Session, tenant: TenantId, teacher: Teacher) -> None:
    """Keep the connections from being deleted until this transaction ends.

    Raises:
        Gone: one was deleted since it was found.
    """
    # In the order of ids: two requests that hold the same two never wait in a circle.
    wanted = {each.teacher_id for each in _remote(teacher) if each.teacher_id is not None}
    for teacher_id in sorted(wanted):
        row = TeacherRepository(session).hold(tenant, TeacherId(teacher_id))
        if row is None or row.deleted_at is not None:
            raise Gone("teacher", teacher_id)


def check_budget(teacher: Teacher, budget: BudgetSpec) -> None:
    """Whether a completed teacher can be asked within this budget, and stopped by it.

    Raises:
        PriceUnknown: the budget is in dollars, and nobody has told what an answer costs.
        BudgetRequired: answers cost something, or may, and nothing limits them.
    """
    priced = [each.prices for each in _remote(teacher)]
    check_caps(
        priced, max_usd=budget.max_usd, max_teacher_calls=budget.max_teacher_calls, at="/budget"
    )


def _complete(
    session: Session,
    tenant: TenantId,
    teacher: OpenAITeacher,
    pointer: str,
    *,
    allow_list: AllowList,
    prices: PriceTable,
) -> OpenAITeacher:
    # What is null was not said: a connection's limit holds unless the request has another.
    said = teacher.model_dump(exclude_unset=True, exclude_none=True)
    url, source = said.get("base_url"), f"{pointer}/base_url"
    if teacher.teacher_id is not None:
        row = _find(session, tenant, teacher.teacher_id, pointer=f"{pointer}/teacher_id")
        _check_address(row, url, allow_list, pointer=source)
        said = _inherited(row, said) | said
        url, source = row.base_url, f"{pointer}/teacher_id"
    endpoint = allowed_endpoint(str(url), allow_list, pointer=source)
    completed = OpenAITeacher.model_validate(said | {"base_url": str(endpoint)})
    if completed.prices is not None:
        return completed
    known = prices.price_of(endpoint.host, str(completed.model), reach=allow_list.reach(endpoint))
    if known is None:
        return completed
    return completed.model_copy(
        update={
            "prices": TokenPrices(
                input_usd_per_million=known.input_usd_per_million,
                output_usd_per_million=known.output_usd_per_million,
            )
        }
    )


def _inherited(row: TeacherRow, said: dict[str, Any]) -> dict[str, Any]:
    """What the connection says where the request does not."""
    settings = {"model": row.model, **row.settings}
    if said.get("model", row.model) != row.model:
        settings.pop("prices", None)
    return settings


def _find(session: Session, tenant: TenantId, teacher_id: str, *, pointer: str) -> TeacherRow:
    row = TeacherRepository(session).get(tenant, TeacherId(teacher_id))
    if row is None:
        message = f"There is no teacher {teacher_id}."
        raise ValidationFailed(message, errors=[_at(pointer, "not-found", message)])
    if row.deleted_at is not None:
        raise Gone("teacher", teacher_id, pointer=pointer)
    return row


def _check_address(
    row: TeacherRow, url: str | None, allow_list: AllowList, *, pointer: str
) -> None:
    """Raise ValidationFailed for another address than the connection's: its key belongs there."""
    if url is None or str(allowed_endpoint(url, allow_list, pointer=pointer)) == row.base_url:
        return
    message = f"The teacher {row.id} is at {row.base_url}; its key is sent nowhere else."
    raise ValidationFailed(message, errors=[_at(pointer, "teacher-connection", message)])


def _members(teacher: EnsembleTeacher) -> Iterator[tuple[str, SingleTeacher]]:
    for place, member in enumerate(teacher.teachers):
        yield f"/teacher/teachers/{place}", member


def _remote(teacher: Teacher) -> Iterator[OpenAITeacher]:
    alone = teacher.teachers if isinstance(teacher, EnsembleTeacher) else (teacher,)
    yield from (each for each in alone if isinstance(each, OpenAITeacher))


def _at(pointer: str, code: str, message: str) -> ErrorItem:
    return ErrorItem(pointer, code, message)
