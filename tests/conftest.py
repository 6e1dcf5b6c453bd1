"""What every test may ask for: a migrated database of either kind, and real servers."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import redis
import structlog
from _pytest.terminal import TerminalReporter
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

from core.db.base import Row
from core.db.session import Database
from migrations import upgrade
from tests.servers import serve

# A test says what a promise came to under this name; the run's last lines print it.
FIGURE = "figure"

# How fast examples come says something of the machine, which may be busy, and nothing of the
# code: that is what benchmarks are for.
settings.register_profile(
    "busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy machine")

# The default renders every local variable of a traceback, which takes a minute an error.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    told = [
        f"{report.nodeid.rpartition('::')[2]}: {value}"
        for report in reports
        for name, value in report.user_properties
        if name == FIGURE
    ]
    if told:
        terminalreporter.section("figures")
        terminalreporter.write_line("\n".join(told))


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder a test run, the same in all of its parallel processes."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def postgres_server(run_folder: Path) -> URL:
    """A PostgreSQL where databases may be made: TEST_DATABASE_URL, or one of our own."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given is not None:
        return make_url(given)
    parallel = "PYTEST_XDIST_WORKER" in os.environ
    owner = os.getppid() if parallel else os.getpid()
    return make_url(serve("postgres", run_folder / "postgres", owner_pid=owner))


@pytest.fixture(scope="session")
def postgres_template(postgres_server: URL) -> Iterator[str]:
    """The name of a migrated database that nobody connects to, to make others from."""
    with _new_database(postgres_server) as url:
        upgrade(url)
        assert url.database is not None
        yield url.database


@pytest.fixture(scope="session")
def postgres_shared(postgres_server: URL, postgres_template: str) -> Iterator[URL]:
    """One database for this process, emptied for each test that uses it."""
    with _new_database(postgres_server, template=postgres_template) as url:
        yield url


@pytest.fixture
def bare_postgres_url(postgres_server: URL) -> Iterator[URL]:
    """A PostgreSQL database of this test's own, without a table."""
    with _new_database(postgres_server) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: URL, postgres_template: str) -> Iterator[str]:
    """A migrated PostgreSQL database of this test's own, as other processes are given it."""
    with _new_database(postgres_server, template=postgres_template) as url:
        yield url.render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    upgrade(make_url(f"sqlite:///{path}"))
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """A migrated, empty database; the test runs once on each kind."""
    kind = "sqlite_database" if request.param == "sqlite" else "postgres_database"
    empty: Database = request.getfixturevalue(kind)
    return empty


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "llkd.db"
    shutil.copyfile(sqlite_template, path)
    database = Database(make_url(f"sqlite:///{path}"))
    yield database
    database.dispose()


@pytest.fixture
def postgres_database(postgres_shared: URL) -> Iterator[Database]:
    database = Database(postgres_shared)
    # Before the test, not after it: a test that was killed cannot spoil the next one.
    tables = ", ".join(table.name for table in Row.metadata.sorted_tables)
    with database.write() as session:
        session.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
    yield database
    database.dispose()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> str:
    """TEST_REDIS_URL, or a server of this process's own: parallel ones would share queues."""
    given = os.environ.get("TEST_REDIS_URL")
    if given is None:
        folder = tmp_path_factory.getbasetemp() / "redis"
        return serve("redis", folder, owner_pid=os.getpid())
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    url = make_url(given)
    return url.set(database=str(int(url.database or 0) + int(worker))).render_as_string(
        hide_password=False
    )


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """An empty Redis database."""
    with redis.Redis.from_url(redis_server) as client:
        client.flushdb()
    return redis_server


@contextmanager
def _new_database(server: URL, *, template: str = "template1") -> Iterator[URL]:
    """A database made, and dropped at the end, through the one that `server` names."""
    name = f"llkd_test_{uuid4().hex[:16]}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        yield server.set(database=name)
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        engine.dispose()
