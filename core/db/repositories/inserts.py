"""Inserting where another process may have been first."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.db.base import Row


class IdempotencyKeyTaken(Exception):
    """Another request with this key was first: read its row instead."""


def insert_for(session: Session, table: type[Row]) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT, in this session's dialect."""
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def insert_missing(
    session: Session, table: type[Row], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert the rows whose key is not there yet, leaving the others as they are."""
    if rows:
        session.execute(insert_for(session, table).on_conflict_do_nothing(), list(rows))
