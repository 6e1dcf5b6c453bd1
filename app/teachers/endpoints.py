"""/teachers: store a connection to a server, try it, change it, delete it."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from app.dependencies import (
    AllowListDep,
    BellDep,
    DatabaseDep,
    ReadSession,
    TenantDep,
    VaultDep,
    WriteSession,
)
from app.etags import answer_if_changed
from app.idempotency import REPLAYED, IdempotencyKeyDep
from app.pages import AfterParam, LimitParam, Page, check_cursor
from app.strict_json import StrictRoute
from app.teachers import probe, service
from app.teachers.schemas import TeacherCreate, TeacherPatch, TeacherRead, TeacherTest
from app.teachers.view import tell_teacher
from llkd.specs.teachers import EXAMPLE_TEACHER

router = APIRouter(prefix="/teachers", route_class=StrictRoute, tags=["teachers"])

TeacherIdPath = Annotated[str, Path(description="Id of the teacher.", examples=[EXAMPLE_TEACHER])]


@router.post(
    "",
    response_model=TeacherRead,
    status_code=201,
    responses={201: {"description": "Stored; `Location` is where it is found."}},
)
def create_teacher(
    response: Response,
    body: TeacherCreate,
    session: WriteSession,
    tenant: TenantDep,
    idempotency_key: IdempotencyKeyDep,
    vault: VaultDep,
    allow_list: AllowListDep,
) -> TeacherRead:
    """Store a connection to a server that speaks OpenAI's chat completions; nothing is called.

    Jobs name it: `"teacher": {"kind": "openai", "teacher_id": …}`.
    """
    teacher, is_replay = service.create_teacher(
        session, vault, allow_list, tenant=tenant, body=body, idempotency_key=idempotency_key
    )
    response.headers["Location"] = f"/teachers/{teacher.id}"
    if is_replay:
        response.headers.update(REPLAYED)
    return teacher


@router.get("", response_model=Page[TeacherRead])
def list_teachers(
    session: ReadSession, tenant: TenantDep, limit: LimitParam = 20, after: AfterParam = None
) -> dict[str, object]:
    """Teachers, newest first."""
    cursor = check_cursor(after, prefix="teacher")
    return service.list_teachers(session, tenant, limit=limit, after=cursor)


@router.get(
    "/{teacher_id}",
    response_model=TeacherRead,
    responses={304: {"description": "Unchanged since the ETag that came with If-None-Match."}},
)
def get_teacher(
    request: Request, teacher_id: TeacherIdPath, session: ReadSession, tenant: TenantDep
) -> Response:
    """One teacher, without its key."""
    teacher = tell_teacher(service.find_teacher(session, tenant, teacher_id))
    return answer_if_changed(request, teacher.model_dump_json().encode())


@router.patch("/{teacher_id}", response_model=TeacherRead)
def patch_teacher(
    teacher_id: TeacherIdPath,
    body: TeacherPatch,
    session: WriteSession,
    tenant: TenantDep,
    vault: VaultDep,
    bell: BellDep,
) -> TeacherRead:
    """Change a teacher's name, key, limits or prices: what is not given stays.

    Jobs that were queued before keep the limits and prices they were queued with. Address and
    model never change, because a key belongs to its address: store another teacher instead.
    """
    return service.patch_teacher(
        session, vault, bell, tenant=tenant, teacher_id=teacher_id, body=body
    )


@router.delete("/{teacher_id}", status_code=204)
def delete_teacher(teacher_id: TeacherIdPath, session: WriteSession, tenant: TenantDep) -> None:
    """Delete a teacher and its key; refused while an unfinished job names it."""
    service.delete_teacher(session, tenant, teacher_id)


@router.post("/{teacher_id}/test", response_model=TeacherTest)
async def test_teacher(
    request: Request,
    teacher_id: TeacherIdPath,
    tenant: TenantDep,
    database: DatabaseDep,
    vault: VaultDep,
    allow_list: AllowListDep,
) -> TeacherTest:
    """Ask the server a sample question, for 20 seconds at the most, and say what came.

    A server that fails is no error of this request: then `ok` is false, and `failure` says why.
    It takes a few calls of some hundred tokens, which a paid server bills.
    """
    places: probe.ProbePlaces = request.app.state.teacher_tests
    with places.taken():
        return await probe.run_test(
            database,
            vault,
            allow_list,
            tenant=tenant,
            teacher_id=teacher_id,
            timeout_s=probe.TOTAL_SECONDS,
        )
