"""What the database itself refuses, whatever the code does."""

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import func, literal, select, update
from sqlalchemy.exc import IntegrityError

from core.db.base import db_now
from core.db.session import Database
from core.db.tables import DatasetRow, JobRow
from core.lifecycle import JobState
from tests.factories import make_dataset, make_job


class TestJobRules:
    @pytest.mark.parametrize(
        ("state", "broken"),
        [
            (JobState.RUNNING, {"lease_until": None}),
            (JobState.QUEUED, {"lease_until": db_now(30)}),
            (JobState.RUNNING, {"finished_at": db_now()}),
            (JobState.SUCCEEDED, {"finished_at": None}),
            (JobState.CANCELLED, {"lease_until": db_now(30)}),
            (JobState.QUEUED, {"state": literal("paused")}),
        ],
    )
    def test_an_impossible_job_is_refused(
        self, database: Database, state: JobState, broken: dict[str, Any]
    ) -> None:
        with database.write() as session:
            make_job(session, state=state)
        with pytest.raises(IntegrityError), database.write() as session:
            session.execute(update(JobRow).values(broken))


class TestTime:
    def test_an_instant_comes_back_in_utc_to_the_millisecond(self, database: Database) -> None:
        berlin = timezone(timedelta(hours=2))
        given = datetime(2026, 7, 1, 12, 0, 0, 123000, tzinfo=berlin)
        with database.write() as session:
            dataset = make_dataset(session, created_at=given)
        assert dataset.created_at == given
        assert dataset.created_at.tzinfo is UTC

    def test_seconds_from_now_may_be_a_number_or_a_column(self, database: Database) -> None:
        with database.write() as session:
            make_job(session, max_wall_seconds=90)
            now, number, column = session.execute(
                select(db_now(), db_now(-1.5), db_now(JobRow.max_wall_seconds)).select_from(JobRow)
            ).one()
        assert abs((now - number) - timedelta(seconds=1.5)) < timedelta(milliseconds=2)
        assert abs((column - now) - timedelta(seconds=90)) < timedelta(milliseconds=2)

    def test_the_clock_stands_still_within_a_statement(self, database: Database) -> None:
        with database.read() as session:
            first, second = session.execute(select(db_now(), db_now())).one()
        assert first == second


class TestDocuments:
    def test_no_document_is_not_the_document_null(self, database: Database) -> None:
        with database.write() as session:
            make_job(session, checkpoint=None, error=None)
            empty = select(func.count()).where(JobRow.checkpoint.is_(None), JobRow.error.is_(None))
            assert session.scalars(empty).one() == 1

    def test_a_figure_that_is_not_a_number_is_null(self, database: Database) -> None:
        figures = {"loss": math.nan, "largest": math.inf, "f1": 0.1 + 0.2, "é": "ü"}
        with database.write() as session:
            dataset_id = make_dataset(session, statistics=figures).id
        with database.read() as session:
            stored = session.scalars(
                select(DatasetRow.statistics).where(DatasetRow.id == dataset_id)
            ).one()
        assert stored == {"loss": None, "largest": None, "f1": 0.1 + 0.2, "é": "ü"}
