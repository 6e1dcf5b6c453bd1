"""How a process talks to its database: one engine, and transactions that say if they write."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL, Engine
from sqlalchemy.orm import Session

# SQLite: how long a writer waits for another one. Half a lease, so that a process
# frozen inside its transaction cannot make every other one lose its jobs.
BUSY_TIMEOUT_MS = 5000
CONNECT_TIMEOUT_S = 5


class Database:
    """One process's way to the database.

    `read()` and `write()` give a session inside one transaction; `write()` commits
    when its block ends without an error. On SQLite a writing transaction takes the
    write lock at its start: a lock taken later fails at once if anyone wrote in
    between, without waiting.
    """

    def __init__(self, url: URL, *, pool_size: int = 10) -> None:
        self.url = url
        self.is_sqlite = url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            if url.database:
                Path(url.database).parent.mkdir(parents=True, exist_ok=True)
            self.engine = create_engine(
                url,
                connect_args={"timeout": BUSY_TIMEOUT_MS / 1000},
                json_serializer=_to_json,
            )
            _tune_sqlite(self.engine)
        else:
            self.engine = create_engine(
                url,
                # A host that swallows packets must not hold a heartbeat for minutes.
                connect_args={"connect_timeout": CONNECT_TIMEOUT_S},
                pool_size=pool_size,
                max_overflow=pool_size,
                pool_pre_ping=True,
                pool_timeout=5,
                json_serializer=_to_json,
            )
        self._writer = self.engine.execution_options(writes=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for questions; whatever it changed is rolled back."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that commits at the end of its block, or rolls back on an error."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def dispose(self) -> None:
        self.engine.dispose()


def after_commit(session: Session, act: Callable[[], None]) -> None:
    """Run `act` once this session's transaction is durable, never when it rolls back."""

    @event.listens_for(session, "after_commit")
    def _act(_: Session) -> None:
        # The event also tells of savepoints, whose release makes nothing durable.
        if not session.in_nested_transaction():
            act()


def _to_json(document: Any) -> str:
    """JSON as both databases take it: a figure that is NaN or infinite is null.

    PostgreSQL refuses NaN where SQLite stores it; a job must not fail on one alone.
    """
    return orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS).decode()


def _tune_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connect(dbapi: Any, _: Any) -> None:
        # We emit BEGIN ourselves, below; the driver must not add its own.
        dbapi.isolation_level = None
        cursor = dbapi.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


__all__ = ["Database", "after_commit"]
