import pytest
from sqlalchemy import select

from core.db.base import EPOCH
from core.db.repositories.engine import Claim, GhostWorker
from core.db.repositories.stages import StageRepository
from core.db.session import Database
from core.db.tables import JobEventRow, JobRow, JobStageRow
from core.lifecycle import EventType, JobState, Stage
from tests.factories import make_job


def running(database: Database, attempt: int = 1) -> Claim:
    with database.write() as session:
        return Claim(make_job(session, state=JobState.RUNNING, attempt=attempt).id, attempt)


def done(database: Database, claim: Claim, stage: Stage, **output: int) -> None:
    with database.write() as session:
        StageRepository(session).done(claim, stage, output=output, started_at=EPOCH)


class TestStages:
    def test_a_stage_is_done_when_it_has_a_row(self, database: Database) -> None:
        claim = running(database)
        done(database, claim, Stage.LABEL, rows=3)
        with database.read() as session:
            stages = StageRepository(session).get(claim.job_id)
            job = session.scalars(select(JobRow)).one()
            [event] = session.scalars(select(JobEventRow))
        assert list(stages) == [Stage.LABEL]
        assert stages[Stage.LABEL].output == {"rows": 3}
        assert stages[Stage.LABEL].started_at == EPOCH
        assert stages[Stage.LABEL].finished_at > EPOCH
        assert job.stage == Stage.LABEL
        assert event.type == EventType.STAGE_FINISHED
        assert event.data == {"stage": "label", "attempt": 1}

    def test_repeating_it_keeps_the_first_output(self, database: Database) -> None:
        claim = running(database)
        done(database, claim, Stage.LABEL, rows=3)
        done(database, claim, Stage.LABEL, rows=4)
        with database.read() as session:
            assert StageRepository(session).get(claim.job_id)[Stage.LABEL].output == {"rows": 3}
            assert len(session.scalars(select(JobEventRow)).all()) == 1

    def test_an_older_attempt_writes_nothing(self, database: Database) -> None:
        claim = running(database, attempt=2)
        with pytest.raises(GhostWorker):
            done(database, Claim(claim.job_id, 1), Stage.TRAIN)
        with database.read() as session:
            assert session.scalars(select(JobStageRow)).all() == []
            assert session.scalars(select(JobEventRow)).all() == []

    def test_the_stages_of_another_job_are_not_seen(self, database: Database) -> None:
        done(database, running(database), Stage.LABEL)
        other = running(database)
        with database.read() as session:
            assert StageRepository(session).get(other.job_id) == {}
