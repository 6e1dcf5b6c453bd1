import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from core.db.session import Database, after_commit
from core.db.tables import DatasetRow
from core.ids import DatasetId
from tests.factories import make_dataset, make_job


def count(database: Database) -> int:
    with database.read() as session:
        return session.query(DatasetRow).count()


class TestTransactions:
    def test_a_write_is_committed_at_the_end_of_its_block(self, database: Database) -> None:
        with database.write() as session:
            make_dataset(session)
        assert count(database) == 1

    def test_an_error_rolls_it_back(self, database: Database) -> None:
        with suppress(ZeroDivisionError), database.write() as session:
            make_dataset(session)
            raise ZeroDivisionError
        assert count(database) == 0

    def test_a_read_changes_nothing(self, database: Database) -> None:
        with database.read() as session:
            make_dataset(session)
        assert count(database) == 0

    def test_rows_may_be_read_after_their_session(self, database: Database) -> None:
        with database.write() as session:
            dataset = make_dataset(session)
        assert dataset.statistics == {"rows": 3}


class TestAfterCommit:
    def test_it_acts_once_the_row_can_be_seen(self, database: Database) -> None:
        seen: list[int] = []
        with database.write() as session:
            after_commit(session, lambda: seen.append(count(database)))
            make_dataset(session)
            assert seen == []
        assert seen == [1]

    def test_a_savepoint_is_not_a_commit(self, database: Database) -> None:
        seen: list[int] = []
        with database.write() as session:
            after_commit(session, lambda: seen.append(count(database)))
            with session.begin_nested():
                make_dataset(session)
            assert seen == []
        assert seen == [1]

    def test_it_does_not_act_after_a_rollback(self, database: Database) -> None:
        seen: list[int] = []
        with suppress(ZeroDivisionError), database.write() as session:
            after_commit(session, lambda: seen.append(1))
            make_dataset(session)
            raise ZeroDivisionError
        assert seen == []


class TestSqlite:
    def test_it_keeps_what_it_said_was_committed(self, sqlite_database: Database) -> None:
        with sqlite_database.read() as session:
            assert session.scalar(text("PRAGMA journal_mode")) == "wal"
            assert session.scalar(text("PRAGMA synchronous")) == 2  # FULL
            assert session.scalar(text("PRAGMA foreign_keys")) == 1
            assert session.scalar(text("PRAGMA busy_timeout")) == 5000

    def test_a_second_writer_waits_for_the_first(self, sqlite_database: Database) -> None:
        order: list[str] = []

        def write_second() -> None:
            with sqlite_database.write() as session:
                make_dataset(session)
                order.append("second")

        second = threading.Thread(target=write_second)
        with sqlite_database.write() as session:
            make_dataset(session)
            second.start()
            time.sleep(0.2)
            order.append("first")
        second.join(timeout=10)
        assert order == ["first", "second"]
        assert count(sqlite_database) == 2

    def test_a_reader_is_not_stopped_by_a_writer(self, sqlite_database: Database) -> None:
        with sqlite_database.write() as session:
            make_dataset(session)
            assert count(sqlite_database) == 0

    def test_the_folder_of_the_file_is_made(self, tmp_path: Path) -> None:
        path = tmp_path / "var" / "deep" / "llkd.db"
        database = Database(make_url(f"sqlite:///{path}"))
        with database.write() as session:
            session.execute(text("CREATE TABLE one (id INTEGER)"))
        database.dispose()
        assert path.exists()


class TestForeignKeys:
    def test_a_row_cannot_name_what_is_not_there(self, database: Database) -> None:
        with pytest.raises(IntegrityError), database.write() as session:
            make_job(session, dataset_id=DatasetId("ds_none"))
