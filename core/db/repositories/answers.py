"""Teacher answers that were bought, so that none is bought twice."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, and_, func, inspect, or_, select
from sqlalchemy.orm import Session

from core.db.base import db_now
from core.db.repositories.inserts import insert_for
from core.db.tables import TeacherAnswerRow
from core.ids import JobId, TenantId

ANSWERED = "answered"
# The server's own trouble: over by the time another job, or a parked one, asks again.
FAILED = "failed"
# A refusal, or an answer that made no sense, was paid for; a day later the same model may
# do better, and its operator may have mended it.
FAILURE_LASTS = timedelta(days=1)

# SQLite and PostgreSQL both bind at least 32,766 values a statement.
KEYS_AT_ONCE = 5000
ROWS_AT_ONCE = 1000


class AnswerRepository:
    """Each method runs in the caller's transaction; none is fenced: an answer is paid and valid."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def find(
        self, tenant_id: TenantId, keys: Sequence[str], *, job_id: JobId | None
    ) -> Mapping[str, TeacherAnswerRow]:
        """The answers there are for this job, by key; keys without one are left out.

        None is for whoever asks outside of a job, and finds what a new job would.

        An answer is good for ever. A text that a job met as refused, or answered with no
        label, stays so for that job, and for others for a day; the server's own trouble for
        nobody.
        """
        found: dict[str, TeacherAnswerRow] = {}
        remaining = iter(dict.fromkeys(keys))
        while some := list(islice(remaining, KEYS_AT_ONCE)):
            rows = self.session.scalars(
                select(TeacherAnswerRow).where(
                    TeacherAnswerRow.tenant_id == tenant_id,
                    TeacherAnswerRow.key.in_(some),
                    _is_good_for(job_id),
                )
            )
            found.update((row.key, row) for row in rows)
        return found

    def count(self, tenant_id: TenantId, keys: Sequence[str]) -> int:
        """How many of these keys have an answer that a new job would find."""
        total = 0
        remaining = iter(dict.fromkeys(keys))
        while some := list(islice(remaining, KEYS_AT_ONCE)):
            total += self.session.scalars(
                select(func.count()).where(
                    TeacherAnswerRow.tenant_id == tenant_id,
                    TeacherAnswerRow.key.in_(some),
                    _is_good_for(None),
                )
            ).one()
        return total

    def store(self, tenant_id: TenantId, rows: Sequence[TeacherAnswerRow]) -> None:
        """Keep the answers whose key has none yet, or a failure; of two failures the later.

        `tenant_id` of the rows need not be set.
        """
        # In the order of keys: two writers of overlapping sets then never wait in a circle.
        ordered = sorted(rows, key=lambda row: row.key)
        for start in range(0, len(ordered), ROWS_AT_ONCE):
            some = ordered[start : start + ROWS_AT_ONCE]
            values = [_columns(row) | {"tenant_id": tenant_id} for row in some]
            self._insert(values)

    def _insert(self, values: list[dict[str, Any]]) -> None:
        insert = insert_for(self.session, TeacherAnswerRow)
        replaced: dict[str, Any] = {
            name: insert.excluded[name] for name in values[0] if name not in {"tenant_id", "key"}
        }
        replaced["created_at"] = db_now()
        self.session.execute(
            insert.on_conflict_do_update(
                index_elements=["tenant_id", "key"],
                set_=replaced,
                where=TeacherAnswerRow.status != ANSWERED,
            ),
            values,
        )


def _is_good_for(job_id: JobId | None) -> ColumnElement[bool]:
    """Whether the answer is one for this job; None: for a job that is yet to come."""
    is_met = TeacherAnswerRow.created_at > db_now(-FAILURE_LASTS.total_seconds())
    if job_id is not None:
        is_met = or_(TeacherAnswerRow.job_id == job_id, is_met)
    return or_(TeacherAnswerRow.status == ANSWERED, and_(TeacherAnswerRow.status != FAILED, is_met))


def _columns(row: TeacherAnswerRow) -> dict[str, Any]:
    values = {
        column.key: getattr(row, column.key)
        for column in inspect(TeacherAnswerRow).column_attrs
        # The database's own clock fills it.
        if column.key != "created_at"
    }
    return values | {name: values[name] or 0 for name in ("tokens_in", "tokens_out", "cost_micros")}
