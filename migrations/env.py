"""Alembic's entrance: runs migrations on the connection that `migrations.schema` opened."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import JSON

from core.db.base import Timestamp
from core.db.tables import JobRow


def _render(kind: str, item: Any, _: AutogenContext) -> str | Literal[False]:
    """Name our own types as script.py.mako does: a migration must not change with the code."""
    if kind == "type" and isinstance(item, Timestamp):
        return "INSTANT"
    if kind == "type" and isinstance(item, JSON):
        return "DOCUMENT"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=JobRow.metadata,
    render_item=_render,
    # SQLite cannot alter most of a table; Alembic then rebuilds it.
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
