"""How rows are typed: time, JSON and the database's own clock, on both databases."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, MetaData, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement, SQLColumnExpression
from sqlalchemy.types import TypeDecorator, TypeEngine

from core.ids import DatasetId, JobId, ModelId, TeacherId, TenantId

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# The database's clock in milliseconds; SQLite 3.40 has no sub-second unixepoch().
SQLITE_NOW_MS = "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"


# None is the absence of a document (SQL NULL), never the document `null`.
JSON_COLUMN = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class Timestamp(TypeDecorator[datetime]):
    """An instant in UTC: timestamptz on PostgreSQL, integer milliseconds on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(BigInteger())
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return round((value - EPOCH).total_seconds() * 1000)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name == "sqlite":
            return datetime.fromtimestamp(value / 1000, tz=UTC)
        instant: datetime = value
        return instant.astimezone(UTC)


class db_now(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function it is
    """The database's clock, `seconds` from now; seconds is a number or a column.

    Only this clock is ever compared with a lease: processes on hosts whose clocks
    differ by minutes still agree on who holds a job. It stands still during one
    statement, so that two halves of a statement cannot disagree on what is late.
    """

    type = Timestamp()
    inherit_cache = True

    def __init__(self, seconds: float | SQLColumnExpression[int] | None = None) -> None:
        super().__init__(*(() if seconds is None else (seconds,)))


@compiles(db_now, "sqlite")
def _sqlite_now(element: db_now, compiler: SQLCompiler, **options: Any) -> str:
    if not len(element.clauses):
        return SQLITE_NOW_MS
    seconds = compiler.process(element.clauses, **options)
    return f"({SQLITE_NOW_MS} + CAST(ROUND({seconds} * 1000) AS INTEGER))"


@compiles(db_now, "postgresql")
def _postgresql_now(element: db_now, compiler: SQLCompiler, **options: Any) -> str:
    if not len(element.clauses):
        return "statement_timestamp()"
    seconds = compiler.process(element.clauses, **options)
    return f"(statement_timestamp() + make_interval(secs => {seconds}))"


class Row(DeclarativeBase):
    """Every table's root."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        DatasetId: String(),
        JobId: String(),
        ModelId: String(),
        TeacherId: String(),
        TenantId: String(),
        datetime: Timestamp(),
        dict[str, Any]: JSON_COLUMN,
        list[Any]: JSON_COLUMN,
    }


__all__ = ["EPOCH", "Row", "Timestamp", "db_now"]
