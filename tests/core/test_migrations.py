"""The migrations make the tables of the code, on both databases, however they are run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.util import CommandError
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError

from core.db.base import Row
from core.db.session import Database
from core.db.tables import JobRow
from migrations import check, downgrade, upgrade
from migrations.__main__ import main
from tests.factories import make_job

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """A database without a table."""
    if request.param == "sqlite":
        return make_url(f"sqlite:///{tmp_path / 'bare.db'}")
    url: URL = request.getfixturevalue("bare_postgres_url")
    return url


def tables(url: URL) -> set[str]:
    engine = create_engine(url)
    names = set(inspect(engine).get_table_names())
    engine.dispose()
    return names


def rules(url: URL) -> dict[str, set[str]]:
    """The CHECK constraints of each table: Alembic's own comparison leaves them out."""
    engine = create_engine(url)
    inspector = inspect(engine)
    found = {
        name: {str(rule["sqltext"]) for rule in inspector.get_check_constraints(name)}
        for name in inspector.get_table_names()
        if name != "alembic_version"
    }
    engine.dispose()
    return found


class TestMigrations:
    def test_up_down_and_up_again(self, bare_url: URL) -> None:
        upgrade(bare_url)
        assert tables(bare_url) == set(Row.metadata.tables) | {"alembic_version"}
        downgrade(bare_url)
        assert tables(bare_url) == {"alembic_version"}
        upgrade(bare_url)
        check(bare_url)

    def test_a_second_upgrade_changes_nothing(self, bare_url: URL) -> None:
        upgrade(bare_url)
        database = Database(bare_url)
        with database.write() as session:
            job = make_job(session)
        upgrade(bare_url)
        with database.read() as session:
            assert session.get(JobRow, job.id) is not None
        database.dispose()

    def test_a_difference_is_found(self, bare_url: URL) -> None:
        upgrade(bare_url)
        engine = create_engine(bare_url)
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE jobs DROP COLUMN stage"))
        engine.dispose()
        with pytest.raises(CommandError, match="stage"):
            check(bare_url)

    def test_the_rules_are_those_of_the_tables(self, bare_url: URL) -> None:
        upgrade(bare_url)
        migrated = rules(bare_url)
        downgrade(bare_url)
        engine = create_engine(bare_url)
        Row.metadata.create_all(engine)
        engine.dispose()
        assert migrated == rules(bare_url)
        assert len(migrated["jobs"]) == 3

    def test_several_processes_may_start_at_once(self, bare_url: URL) -> None:
        environment = os.environ | {
            "LLKD_DATABASE_URL": bare_url.render_as_string(hide_password=False)
        }
        started = [
            subprocess.Popen(
                [sys.executable, "-m", "migrations", "upgrade"],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for _ in range(3)
        ]
        said = [one.communicate(timeout=120)[0] for one in started]
        assert [one.returncode for one in started] == [0, 0, 0], said
        check(bare_url)

    def test_a_failed_migration_leaves_nothing_behind(self, bare_url: URL) -> None:
        engine = create_engine(bare_url)
        with engine.begin() as connection:
            # The last table that the first migration makes is in the way.
            connection.execute(text("CREATE TABLE model_aliases (id INTEGER)"))
        engine.dispose()
        with pytest.raises(Exception, match="model_aliases"):
            upgrade(bare_url)
        assert tables(bare_url) - {"alembic_version"} == {"model_aliases"}


class TestCommandLine:
    @pytest.fixture(autouse=True)
    def _configured(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LLKD_DATABASE_URL", f"sqlite:///{tmp_path / 'cli.db'}")

    def test_it_tells_whether_the_database_is_up_to_date(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["check"]) == 1
        assert "not up to date" in capsys.readouterr().err
        assert main(["upgrade"]) == 0
        assert main(["check"]) == 0

    def test_it_goes_back_to_no_table(self, tmp_path: Path) -> None:
        assert main(["upgrade"]) == 0
        assert main(["downgrade"]) == 0
        assert tables(make_url(f"sqlite:///{tmp_path / 'cli.db'}")) == {"alembic_version"}


class TestWithoutADatabase:
    def test_an_unreachable_server_is_an_error(self) -> None:
        with pytest.raises(OperationalError):
            upgrade(make_url("postgresql+psycopg://nobody@127.0.0.1:1/none"))
