"""What can be done with stored teachers: made, found, listed, changed, deleted."""

from functools import partial

import orjson
from pydantic import SecretStr
from sqlalchemy.orm import Session

from app.idempotency import IdempotencyMismatch
from app.pages import page_of
from app.teacher_urls import allowed_endpoint
from app.teachers.errors import ResourceInUse
from app.teachers.schemas import SETTINGS, TeacherCreate, TeacherPatch, TeacherRead
from app.teachers.view import tell_teacher
from core.db.repositories.inserts import IdempotencyKeyTaken
from core.db.repositories.jobs import JobRepository
from core.db.repositories.teachers import Json, TeacherRepository, key_owner
from core.db.session import after_commit
from core.db.tables import TeacherRow
from core.egress.allow_list import AllowList
from core.errors import Gone, NotFound
from core.ids import TeacherId, TenantId, is_id, new_teacher_id
from core.queue import Bell
from core.secrets import Vault, last4

SHOWN_USERS = 5


def create_teacher(
    session: Session,
    vault: Vault,
    allow_list: AllowList,
    *,
    tenant: TenantId,
    body: TeacherCreate,
    idempotency_key: str | None,
) -> tuple[TeacherRead, bool]:
    """Store a connection; returns it, and whether it is that of an earlier request with this key.

    Raises:
        InvalidTeacherUrl, TeacherUrlForbidden: its server cannot, or may not, be called.
        IdempotencyMismatch: the key came before with another request.
        Gone: it came before with this one, and the teacher was deleted since.
    """
    digests = request_digests(body, vault)
    earlier = _replayed(session, tenant, idempotency_key, digests)
    if earlier is not None:
        return earlier, True
    row = TeacherRow(
        id=new_teacher_id(),
        tenant_id=tenant,
        name=body.name,
        base_url=str(allowed_endpoint(body.base_url, allow_list, pointer="/base_url")),
        model=body.model,
        settings=body.model_dump(mode="json", include=set(SETTINGS), exclude_none=True),
        idempotency_key=idempotency_key,
        request_sha256=digests[0],
    )
    row.sealed_key, row.key_last4 = _sealed(row, body.key, vault)
    try:
        TeacherRepository(session).add(row)
    except IdempotencyKeyTaken:
        earlier = _replayed(session, tenant, idempotency_key, digests)
        assert earlier is not None, "the key is taken by a row that can be read"
        return earlier, True
    session.refresh(row)
    return tell_teacher(row), False


def find_teacher(session: Session, tenant: TenantId, teacher_id: str) -> TeacherRow:
    """The row.

    Raises:
        NotFound: no id at all, unknown, or another tenant's: none can be told apart.
        Gone: it was deleted.
    """
    row = None
    if is_id(teacher_id, prefix="teacher"):
        row = TeacherRepository(session).get(tenant, TeacherId(teacher_id))
    return _present(row, teacher_id)


def list_teachers(
    session: Session, tenant: TenantId, *, limit: int, after: str | None
) -> dict[str, object]:
    """A page of teachers, newest first."""
    page = TeacherRepository(session).page(
        tenant, limit=limit, after=None if after is None else TeacherId(after)
    )
    return page_of([tell_teacher(row) for row in page.rows], has_more=page.has_more)


def patch_teacher(
    session: Session,
    vault: Vault,
    bell: Bell,
    *,
    tenant: TenantId,
    teacher_id: str,
    body: TeacherPatch,
) -> TeacherRead:
    """Change what is given, and leave the rest; with another key, parked jobs try again at once.

    Raises:
        NotFound, Gone: as `find_teacher`.
    """
    teachers = TeacherRepository(session)
    row = _held(session, tenant, teacher_id)
    given = body.model_dump(mode="json", include=set(SETTINGS), exclude_unset=True)
    if given or "name" in body.model_fields_set:
        merged = {
            field: value for field, value in (row.settings | given).items() if value is not None
        }
        name = body.name if "name" in body.model_fields_set else row.name
        teachers.patch(tenant, row.id, name=name, settings=merged)
    if "key" in body.model_fields_set:
        sealed, end = _sealed(row, body.key, vault)
        teachers.replace_key(tenant, row.id, sealed_key=sealed, key_last4=end)
        _wake(session, bell, row)
    return tell_teacher(find_teacher(session, tenant, teacher_id))


def delete_teacher(session: Session, tenant: TenantId, teacher_id: str) -> None:
    """Delete a teacher that no unfinished job names, and forget its key.

    Raises:
        NotFound, Gone: as `find_teacher`.
        ResourceInUse: a queued or running job names it.
    """
    # Held before asking for jobs: one that is being added either is seen, or sees this.
    row = _held(session, tenant, teacher_id)
    teachers = TeacherRepository(session)
    if not teachers.tombstone(tenant, row.id):
        users = teachers.users(tenant, row.id)
        named = ", ".join(users[:SHOWN_USERS]) + (", …" if len(users) > SHOWN_USERS else "")
        raise ResourceInUse(f"{len(users)} unfinished jobs ask {row.id}: {named}.")


def request_digests(body: TeacherCreate, vault: Vault) -> tuple[str, ...]:
    """What tells this request from others, under each of the vault's keys, the current one first.

    The teacher's key is part of the request, and its plain digest would let anyone who reads
    the database try guesses at it. So the digest is keyed.
    """
    meaning = body.model_dump(mode="json")
    meaning["key"] = None if body.key is None else body.key.get_secret_value()
    return vault.digests(orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS))


def _sealed(row: TeacherRow, key: SecretStr | None, vault: Vault) -> tuple[Json | None, str | None]:
    """The key as it is stored, and what may be shown of it."""
    if key is None:
        return None, None
    return dict(vault.seal(key, owner=key_owner(row)).to_json()), last4(key) or None


def _wake(session: Session, bell: Bell, row: TeacherRow) -> None:
    """Let the jobs that wait for this teacher, perhaps for its key, try again."""
    for queue in set(JobRepository(session).wake_parked(row.tenant_id, row.id)):
        after_commit(session, partial(bell.ring, queue))


def _held(session: Session, tenant: TenantId, teacher_id: str) -> TeacherRow:
    row = None
    if is_id(teacher_id, prefix="teacher"):
        row = TeacherRepository(session).hold(tenant, TeacherId(teacher_id))
    return _present(row, teacher_id)


def _present(row: TeacherRow | None, teacher_id: str) -> TeacherRow:
    if row is None:
        raise NotFound("teacher", teacher_id)
    if row.deleted_at is not None:
        raise Gone("teacher", teacher_id)
    return row


def _replayed(
    session: Session, tenant: TenantId, idempotency_key: str | None, digests: tuple[str, ...]
) -> TeacherRead | None:
    """The teacher that an earlier request with this key made, as it is now."""
    if idempotency_key is None:
        return None
    row = TeacherRepository(session).by_idempotency_key(tenant, idempotency_key)
    if row is None:
        return None
    if row.request_sha256 not in digests:
        raise IdempotencyMismatch
    return tell_teacher(_present(row, row.id))
