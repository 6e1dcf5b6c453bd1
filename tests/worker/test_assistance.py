"""A slot without a job helps with one, and whatever becomes of that is no matter of the job."""

import time
from typing import Any

import pytest
from sqlalchemy import select

from core.db.repositories.claims import Claim
from core.db.repositories.jobs import JobRepository
from core.db.repositories.shards import ShardRepository
from core.db.tables import JobRow, JobShardRow
from core.ids import JobId
from core.lifecycle import JobState
from tests.factories import TENANT
from tests.worker.conftest import Stage, wait_until
from worker.devices import CPU


def offer(stage: Stage, **given: Any) -> JobId:
    """A job that another worker runs, in two shards."""
    values: dict[str, Any] = {"lease_owner": "another:cpu", "stage": "label"}
    job_id = stage.add_job(state=JobState.RUNNING, **values | given)
    with stage.database.write() as session:
        ShardRepository(session).cut(Claim(job_id, 1), rows=20, shard_rows=10)
    return job_id


def shard(stage: Stage) -> JobShardRow:
    with stage.database.read() as session:
        return session.scalars(select(JobShardRow).order_by(JobShardRow.shard)).first() or _none()


def _none() -> JobShardRow:
    raise AssertionError("there is no shard")


def is_leased(stage: Stage) -> bool:
    return shard(stage).lease_until is not None


def facts(row: JobRow) -> tuple[Any, ...]:
    return row.state, row.attempt, row.crashes, row.progress, row.lease_owner


class TestAnIdleSlot:
    def test_fills_a_shard_and_leaves_the_job_as_it_is(self, stage: Stage) -> None:
        job_id = offer(stage)
        before = facts(stage.job(job_id))
        assert stage.run("succeed")
        assert shard(stage).attempt == 1
        assert not is_leased(stage)
        assert facts(stage.job(job_id)) == before
        assert stage.events(job_id) == []

    def test_runs_a_ready_job_first(self, stage: Stage) -> None:
        offer(stage)
        job_id = stage.add_job()
        stage.run("succeed")
        assert stage.job(job_id).state is JobState.SUCCEEDED
        assert shard(stage).attempt == 0

    def test_is_told_which_rows_and_no_key(self, stage: Stage) -> None:
        job_id = offer(stage)
        assert stage.run("write-assignment", str(stage.folder / "told.json"))
        told = stage.told(stage.folder / "told.json")
        assert (told["job_id"], told["attempt"], told["teacher_keys"]) == (job_id, 1, {})
        part = told["part"]
        assert (part["shard"], part["attempt"], part["first_row"], part["rows"]) == (0, 1, 0, 10)

    def test_keeps_the_lease_alive(self, stage: Stage) -> None:
        stage.settings = stage.settings.model_copy(update={"lease_seconds": 1.0})
        offer(stage)
        with stage.running("work"):
            wait_until(lambda: is_leased(stage))
            time.sleep(2.5)
            with stage.database.write() as session:
                assert ShardRepository(session).reap() == []
            stage.drain.begin()


class TestHelpThatFails:
    @pytest.mark.parametrize("part", ["die", "raise", "fail", "silence"])
    def test_opens_the_shard_again_and_the_slot_waits(self, stage: Stage, part: str) -> None:
        job_id = offer(stage)
        before = facts(stage.job(job_id))
        assert not stage.run(part)
        assert not is_leased(stage)
        assert shard(stage).crashes == 1
        assert facts(stage.job(job_id)) == before
        assert stage.events(job_id) == []

    def test_is_not_offered_again_at_once(self, stage: Stage) -> None:
        """A host without the job's model would take every shard from those who have it."""
        offer(stage)
        supervisor = stage.supervisor("die")
        assert not supervisor.run_next(CPU)
        assert not supervisor.run_next(CPU)
        assert shard(stage).attempt == 1

    def test_a_hanging_assistant_is_one(self, stage: Stage) -> None:
        stage.settings = stage.settings.model_copy(update={"stalled_seconds": 0.5})
        offer(stage)
        assert not stage.run("hang")
        assert shard(stage).crashes == 1


class TestHelpThatIsNotWantedAnyMore:
    def test_yields_to_a_ready_job_without_a_crash(self, stage: Stage) -> None:
        offer(stage)
        with stage.running("work") as thread:
            wait_until(lambda: is_leased(stage))
            stage.add_job()
            thread.join(10)
            assert not thread.is_alive()
        assert not is_leased(stage)
        assert shard(stage).crashes == 0

    def test_ends_when_the_job_is_cancelled(self, stage: Stage) -> None:
        job_id = offer(stage)
        with stage.running("work") as thread:
            wait_until(lambda: is_leased(stage))
            with stage.database.write() as session:
                JobRepository(session).request_cancel(TENANT, job_id)
            thread.join(10)
            assert not thread.is_alive()
        assert shard(stage).crashes == 0

    def test_ends_when_the_job_is_another_attempts(self, stage: Stage) -> None:
        job_id = offer(stage)
        with stage.running("work") as thread:
            wait_until(lambda: is_leased(stage))
            stage.change(job_id, attempt=2)
            thread.join(10)
            assert not thread.is_alive()
        assert shard(stage).crashes == 0

    def test_ends_with_its_worker_and_the_shard_is_open(self, stage: Stage) -> None:
        offer(stage)
        with stage.running("work"):
            wait_until(lambda: is_leased(stage))
            stage.drain.begin()
        assert not is_leased(stage)
        assert shard(stage).crashes == 0

    def test_a_shard_claimed_during_a_drain_goes_back_unbegun(self, stage: Stage) -> None:
        offer(stage)
        stage.drain.begin()
        stage.run("succeed")
        assert not is_leased(stage)
        assert shard(stage).crashes == 0
