"""Inserting where another process may have been first."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.db.base import Row
from core.db.tables import DatasetRow, JobRow, TeacherRow
from core.ids import TenantId

Keyed = TypeVar("Keyed", DatasetRow, JobRow, TeacherRow)


class IdempotencyKeyTaken(Exception):
    """Another request with this key was first: read its row instead."""


def insert_keyed(
    session: Session, row: Keyed, *, known: Callable[[TenantId, str], Keyed | None]
) -> None:
    """Insert a row that an idempotency key may name, waiting for whoever inserts the same key.

    Args:
        known: finds the row of a key; asked only after the insert was refused.

    Raises:
        IdempotencyKeyTaken: the key has a row; this transaction goes on.
        IntegrityError: another rule was broken.
    """
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        key = row.idempotency_key
        if key is None or known(row.tenant_id, key) is None:
            raise
        raise IdempotencyKeyTaken(key) from error


def insert_for(session: Session, table: type[Row]) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT, in this session's dialect."""
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
