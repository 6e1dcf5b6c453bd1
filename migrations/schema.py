"""Bringing a database to the shape the code expects, however many processes try at once."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL

from core.db.session import Database

HEAD = "head"
BASE = "base"

# Any number that no other program sharing the database uses for an advisory lock.
LOCK_KEY = 7_163_114_095


def upgrade(url: URL, revision: str = HEAD) -> None:
    """Run the migrations that are missing; none when the database is up to date.

    Safe when several processes start at once: one migrates, the others wait and then
    find nothing to do. A migration that fails leaves the database as it was.
    """
    with _config(url) as config:
        command.upgrade(config, revision)


def downgrade(url: URL, revision: str = BASE) -> None:
    """Undo migrations down to a revision; `base` drops every table and all that is in it."""
    with _config(url) as config:
        command.downgrade(config, revision)


def check(url: URL) -> None:
    """Compare the database with the tables of the code.

    Raises:
        alembic.util.CommandError: they differ, or migrations are missing; the message says how.
    """
    with _config(url) as config:
        command.check(config)


def write_revision(url: URL, message: str) -> None:
    """Draft the migration that takes the database to the tables of the code."""
    with _config(url) as config:
        number = len(list(ScriptDirectory.from_config(config).walk_revisions())) + 1
        command.revision(config, message=message, autogenerate=True, rev_id=f"{number:04d}")


@contextmanager
def _config(url: URL) -> Iterator[Config]:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    with _locked(url) as connection:
        config.attributes["connection"] = connection
        yield config


@contextmanager
def _locked(url: URL) -> Iterator[Connection]:
    """A connection in one transaction that keeps every other migration out until its end."""
    database = Database(url, pool_size=1)
    if database.is_sqlite:
        # Changing a table means rebuilding it there, and dropping the old one would
        # delete what refers to it.
        @event.listens_for(database.engine, "connect")
        def _let_tables_be_rebuilt(dbapi: sqlite3.Connection, _: object) -> None:
            dbapi.execute("PRAGMA foreign_keys=OFF")

    writers = database.engine.execution_options(writes=True)
    try:
        with writers.begin() as connection:
            if not database.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
            yield connection
    finally:
        database.dispose()
