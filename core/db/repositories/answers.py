"""Teacher answers that were bought, so that none is bought twice."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from core.db.repositories.inserts import insert_missing
from core.db.tables import TeacherAnswerRow
from core.ids import TenantId

# SQLite and PostgreSQL both bind at least 32,766 values a statement.
KEYS_AT_ONCE = 5000
ROWS_AT_ONCE = 1000


class AnswerRepository:
    """Each method runs in the caller's transaction; none is fenced: an answer is paid and valid."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def find(self, tenant_id: TenantId, keys: Sequence[str]) -> Mapping[str, TeacherAnswerRow]:
        """The answers there are, by key; keys without one are missing from the mapping."""
        found: dict[str, TeacherAnswerRow] = {}
        remaining = iter(dict.fromkeys(keys))
        while some := list(islice(remaining, KEYS_AT_ONCE)):
            rows = self.session.scalars(
                select(TeacherAnswerRow).where(
                    TeacherAnswerRow.tenant_id == tenant_id, TeacherAnswerRow.key.in_(some)
                )
            )
            found.update((row.key, row) for row in rows)
        return found

    def store(self, tenant_id: TenantId, rows: Sequence[TeacherAnswerRow]) -> None:
        """Keep the answers whose key has none yet; `tenant_id` of the rows need not be set."""
        # In the order of keys: two writers of overlapping sets then never wait in a circle.
        ordered = sorted(rows, key=lambda row: row.key)
        for start in range(0, len(ordered), ROWS_AT_ONCE):
            some = ordered[start : start + ROWS_AT_ONCE]
            values = [_columns(row) | {"tenant_id": tenant_id} for row in some]
            insert_missing(self.session, TeacherAnswerRow, values)


def _columns(row: TeacherAnswerRow) -> dict[str, Any]:
    return {
        column.key: getattr(row, column.key)
        for column in inspect(TeacherAnswerRow).column_attrs
        # The table's own defaults fill these when the row leaves them open.
        if column.key not in _DEFAULTED or getattr(row, column.key) is not None
    }


_DEFAULTED = {"tokens_in", "tokens_out", "cost_micros", "created_at"}
