"""Stored teachers as their tenants see them: added, listed, changed, deleted."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, func, literal, or_, select, true, update
from sqlalchemy.orm import Session

from core.db.base import db_now
from core.db.repositories.inserts import insert_keyed
from core.db.repositories.jobs import ACTIVE
from core.db.repositories.pages import Page, read_page
from core.db.tables import JobRow, TeacherRow
from core.ids import JobId, TeacherId, TenantId

Json = dict[str, Any]


class TeacherRepository:
    """Each method runs in the caller's transaction."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def add(self, teacher: TeacherRow) -> TeacherRow:
        """Insert a teacher.

        Raises:
            IdempotencyKeyTaken: this tenant already has a teacher with this key; the
                transaction goes on, and `by_idempotency_key` finds that teacher.
        """
        insert_keyed(self.session, teacher, known=self.by_idempotency_key)
        return teacher

    def get(self, tenant_id: TenantId, teacher_id: TeacherId) -> TeacherRow | None:
        """The teacher, deleted ones too: the caller tells 410 from 404 by `deleted_at`."""
        return self.session.scalar(
            select(TeacherRow).where(_is(tenant_id, teacher_id)),
            execution_options={"populate_existing": True},
        )

    def hold(self, tenant_id: TenantId, teacher_id: TeacherId) -> TeacherRow | None:
        """`get`, and keep others from holding, changing or deleting it until this transaction ends.

        Whoever adds a job holds the teachers that it names first, and so does whoever deletes
        one before asking which jobs use it: either the job is seen, or the deletion is.
        """
        return self.session.scalar(
            select(TeacherRow).where(_is(tenant_id, teacher_id)).with_for_update(key_share=True),
            execution_options={"populate_existing": True},
        )

    def by_idempotency_key(self, tenant_id: TenantId, key: str) -> TeacherRow | None:
        return self.session.scalar(
            select(TeacherRow).where(
                TeacherRow.tenant_id == tenant_id, TeacherRow.idempotency_key == key
            )
        )

    def page(
        self, tenant_id: TenantId, *, limit: int, after: TeacherId | None = None
    ) -> Page[TeacherRow]:
        """Teachers of a tenant that are not deleted, newest first."""
        question = select(TeacherRow).where(
            TeacherRow.tenant_id == tenant_id, TeacherRow.deleted_at.is_(None)
        )
        if after is not None:
            question = question.where(TeacherRow.id < after)
        return read_page(self.session, question.order_by(TeacherRow.id.desc()), limit=limit)

    def patch(
        self, tenant_id: TenantId, teacher_id: TeacherId, *, name: str, settings: Json
    ) -> bool:
        """Give it this name and these limits and prices; False when there is none, or it is gone.

        What is to stay has to be read under `hold` beforehand.
        """
        return self._change(tenant_id, teacher_id, name=name, settings=settings)

    def replace_key(
        self,
        tenant_id: TenantId,
        teacher_id: TeacherId,
        *,
        sealed_key: Json | None,
        key_last4: str | None,
    ) -> bool:
        """Give it another sealed key, or none; what a probe with the old one found is forgotten."""
        return self._change(
            tenant_id, teacher_id, sealed_key=sealed_key, key_last4=key_last4, last_test=None
        )

    def with_keys(self, *, after: TeacherId | None, limit: int) -> Sequence[TeacherRow]:
        """The next teachers of all tenants that have a key, in the order of ids."""
        question = select(TeacherRow).where(TeacherRow.sealed_key.is_not(None))
        if after is not None:
            question = question.where(TeacherRow.id > after)
        return self.session.scalars(question.order_by(TeacherRow.id).limit(limit)).all()

    def rewrap_key(self, tenant_id: TenantId, teacher_id: TeacherId, *, sealed_key: Json) -> None:
        """Store the same key in another wrapping; to everyone else nothing has changed.

        What is wrapped has to be read under `hold` beforehand.
        """
        self.session.execute(
            update(TeacherRow).where(_is(tenant_id, teacher_id)).values(sealed_key=sealed_key),
            execution_options={"synchronize_session": False},
        )

    def note_test(
        self, tenant_id: TenantId, teacher_id: TeacherId, found: Json, *, of: datetime
    ) -> bool:
        """Store what a probe found; False when the teacher has changed since, or is gone.

        Args:
            of: `updated_at` of the row that was probed.
        """
        noted = self.session.scalar(
            update(TeacherRow)
            .where(
                _is(tenant_id, teacher_id),
                TeacherRow.deleted_at.is_(None),
                TeacherRow.updated_at == of,
            )
            .values(last_test=found)
            .returning(TeacherRow.id),
            execution_options={"synchronize_session": False},
        )
        return noted is not None

    def tombstone(self, tenant_id: TenantId, teacher_id: TeacherId) -> bool:
        """Mark it deleted, and forget its key.

        Returns:
            False when there is none, it was deleted before, or an unfinished job names it.
        """
        used = select(JobRow.id).where(JobRow.tenant_id == tenant_id, self._is_used(teacher_id))
        deleted = self.session.scalar(
            update(TeacherRow)
            .where(_is(tenant_id, teacher_id), TeacherRow.deleted_at.is_(None), ~used.exists())
            .values(deleted_at=db_now(), sealed_key=None, key_last4=None)
            .returning(TeacherRow.id),
            execution_options={"synchronize_session": False},
        )
        return deleted is not None

    def users(self, tenant_id: TenantId, teacher_id: TeacherId) -> Sequence[JobId]:
        """The tenant's queued and running jobs that name this teacher, alone or among others."""
        return self.session.scalars(
            select(JobRow.id)
            .where(JobRow.tenant_id == tenant_id, self._is_used(teacher_id))
            .order_by(JobRow.id)
        ).all()

    def _change(self, tenant_id: TenantId, teacher_id: TeacherId, **values: Any) -> bool:
        changed = self.session.scalar(
            update(TeacherRow)
            .where(_is(tenant_id, teacher_id), TeacherRow.deleted_at.is_(None))
            .values(updated_at=db_now(), **values)
            .returning(TeacherRow.id),
            execution_options={"synchronize_session": False},
        )
        return changed is not None

    def _is_used(self, teacher_id: TeacherId) -> ColumnElement[bool]:
        """Whether a job is unfinished, and its spec names the teacher."""
        return JobRow.state.in_(ACTIVE) & self._spec_names(teacher_id)

    def _spec_names(self, teacher_id: TeacherId) -> ColumnElement[bool]:
        if self.session.get_bind().dialect.name == "postgresql":
            alone = {"teacher": {"teacher_id": teacher_id}}
            # Containment asks of a list only that some member of it fits.
            member = {"teacher": {"teachers": [{"teacher_id": teacher_id}]}}
            return or_(
                *(
                    JobRow.spec.op("@>", is_comparison=True)(literal(part, JobRow.spec.type))
                    for part in (alone, member)
                )
            )
        members = func.json_each(JobRow.spec, "$.teacher.teachers").table_valued("value")
        named = func.json_extract(members.c.value, "$.teacher_id", type_=String()) == teacher_id
        return or_(
            func.json_extract(JobRow.spec, "$.teacher.teacher_id", type_=String()) == teacher_id,
            select(true()).select_from(members).where(named).exists().correlate(JobRow),
        )


def key_owner(teacher: TeacherRow) -> str:
    """What its sealed key is bound to, for `core.secrets.Vault`: moved to another row, or with
    another address in this one, the key can no longer be opened."""
    # An id and a URL hold no space, so no two teachers' owners look alike.
    return f"{teacher.id} {teacher.base_url} {teacher.tenant_id}"


def _is(tenant_id: TenantId, teacher_id: TeacherId) -> ColumnElement[bool]:
    return (TeacherRow.id == teacher_id) & (TeacherRow.tenant_id == tenant_id)
