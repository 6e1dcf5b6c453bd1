"""A supervisor records every end a child can come to, once."""

import os
import threading
import time
from pathlib import Path

import pytest

from core.db.repositories.jobs import JobRepository
from core.lifecycle import JobState, Queue
from tests.factories import TENANT
from tests.worker.conftest import Stage, wait_until
from worker.protocol import checkpoints_dir


class TestAChildThatEnds:
    def test_a_result_makes_the_job_succeed(self, stage: Stage) -> None:
        job_id = stage.add_job()
        assert stage.run("succeed")
        job = stage.job(job_id)
        assert job.state is JobState.SUCCEEDED
        assert job.result == {"model_id": "model_1", "attempt": 1}
        assert job.progress == 3
        assert stage.events(job_id) == ["job.started", "job.succeeded"]

    def test_its_own_verdict_fails_the_job_with_the_problem_it_names(self, stage: Stage) -> None:
        job_id = stage.add_job()
        stage.run("fail")
        job = stage.job(job_id)
        assert job.state is JobState.FAILED
        assert job.error is not None
        assert job.error["code"] == "teacher-unusable"

    def test_nothing_ready_is_said(self, stage: Stage) -> None:
        stage.add_job(queue=Queue.GPU)
        assert not stage.run("succeed")

    def test_success_without_a_result_is_not_believed(self, stage: Stage) -> None:
        job_id = stage.add_job()
        stage.run("silence")
        assert stage.job(job_id).state is JobState.QUEUED
        assert stage.job(job_id).crashes == 1

    def test_stray_output_is_ignored(self, stage: Stage) -> None:
        job_id = stage.add_job()
        stage.run("babble")
        assert stage.job(job_id).state is JobState.SUCCEEDED

    def test_a_released_job_goes_back_without_a_crash(self, stage: Stage) -> None:
        job_id = stage.add_job()
        stage.run("release")
        job = stage.job(job_id)
        assert (job.state, job.crashes, job.attempt) == (JobState.QUEUED, 0, 1)

    def test_a_ghost_leaves_the_row_as_it_is(self, stage: Stage) -> None:
        job_id = stage.add_job()
        stage.run("ghost")
        assert stage.job(job_id).state is JobState.RUNNING

    def test_its_own_children_end_with_it(self, stage: Stage) -> None:
        job_id = stage.add_job()
        stage.run("leave-a-grandchild")
        result = stage.job(job_id).result
        assert result is not None
        # A zombie still has a pid; only a process that is gone has no state to show.
        wait_until(lambda: not _runs(result["pid"]), within_s=2)


class TestAChildThatCrashes:
    def test_it_is_noticed_at_once_and_the_job_runs_again(self, stage: Stage) -> None:
        job_id = stage.add_job()
        begun = time.monotonic()
        stage.run("die")
        seconds = time.monotonic() - begun
        job = stage.job(job_id)
        assert (job.state, job.crashes) == (JobState.QUEUED, 1)
        assert seconds < 2
        stage.run("succeed")
        assert stage.job(job_id).result == {"model_id": "model_1", "attempt": 2}

    def test_a_poison_job_fails_after_three_and_others_run_on(self, stage: Stage) -> None:
        job_id = stage.add_job(priority=1)
        for _ in range(3):
            assert stage.run("die")
        job = stage.job(job_id)
        assert job.state is JobState.FAILED
        assert job.error is not None
        assert job.error["code"] == "worker-lost"
        assert "SIGKILL" in job.error["detail"]
        other = stage.add_job()
        stage.run("succeed")
        assert stage.job(other).state is JobState.SUCCEEDED

    def test_crashing_at_one_place_is_no_progress(self, stage: Stage) -> None:
        job_id = stage.add_job()
        for _ in range(3):
            assert stage.run("die-after", "10")
        assert stage.job(job_id).state is JobState.FAILED

    def test_crashing_further_on_each_time_is_progress(self, stage: Stage) -> None:
        job_id = stage.add_job()
        for _ in range(5):
            stage.run("die-further-each-time")
        job = stage.job(job_id)
        assert (job.state, job.crashes, job.progress) == (JobState.QUEUED, 1, 50)

    def test_the_place_is_told_and_the_message_is_not(self, stage: Stage) -> None:
        job_id = stage.add_job()
        for _ in range(3):
            stage.run("raise")
        error = stage.job(job_id).error
        assert error is not None
        assert "scripted_child.py" in error["detail"]
        assert "nobody may see" not in str(error)
        log = (stage.folder / "logs" / f"{job_id}.log").read_text()
        assert "nobody may see" in log


class TestCancelling:
    def test_a_running_child_is_stopped(self, stage: Stage) -> None:
        job_id = stage.add_job()
        with stage.running("work"):
            wait_until(lambda: stage.job(job_id).progress > 0)
            asked = time.monotonic()
            with stage.database.write() as session:
                JobRepository(session).request_cancel(TENANT, job_id)
        assert time.monotonic() - asked < 2
        assert stage.job(job_id).state is JobState.CANCELLED

    def test_a_child_that_does_not_listen_is_killed(self, stage: Stage) -> None:
        job_id = stage.add_job()
        with stage.running("work-stubbornly"):
            wait_until(lambda: stage.job(job_id).progress > 0)
            with stage.database.write() as session:
                JobRepository(session).request_cancel(TENANT, job_id)
        assert stage.job(job_id).state is JobState.CANCELLED


class TestTheDeadline:
    def test_it_fails_the_job_and_says_so(self, stage: Stage) -> None:
        job_id = stage.add_job(max_wall_seconds=1)
        stage.run("work")
        job = stage.job(job_id)
        assert job.state is JobState.FAILED
        assert job.error is not None
        assert job.error["code"] == "deadline-exceeded"
        assert job.error["stage"] == "train"


class TestAStall:
    def test_a_child_without_progress_is_a_crash(self, stage: Stage) -> None:
        stage.settings = stage.settings.model_copy(update={"stalled_seconds": 0.5})
        job_id = stage.add_job()
        stage.run("hang")
        job = stage.job(job_id)
        assert (job.state, job.crashes) == (JobState.QUEUED, 1)

    def test_a_child_with_progress_is_none(self, stage: Stage) -> None:
        stage.settings = stage.settings.model_copy(update={"stalled_seconds": 0.5})
        job_id = stage.add_job()
        with stage.running("work"):
            time.sleep(1.5)
            assert stage.job(job_id).state is JobState.RUNNING
            stage.drain.begin()

    def test_a_child_that_waits_for_others_is_none(self, stage: Stage) -> None:
        stage.settings = stage.settings.model_copy(update={"stalled_seconds": 0.5})
        job_id = stage.add_job()
        stage.run("wait")
        assert stage.job(job_id).state is JobState.SUCCEEDED


class TestALostLease:
    def test_the_child_is_stopped_and_nothing_is_written(self, stage: Stage) -> None:
        job_id = stage.add_job()
        with stage.running("work") as thread:
            wait_until(lambda: stage.job(job_id).progress > 0)
            stage.change(job_id, attempt=7, lease_owner="another")
            thread.join(5)
            assert not thread.is_alive()
        job = stage.job(job_id)
        assert (job.state, job.attempt, job.lease_owner) == (JobState.RUNNING, 7, "another")
        assert job.checkpoint is None


class TestDraining:
    def test_the_child_saves_and_the_job_goes_back(self, stage: Stage) -> None:
        job_id = stage.add_job()
        with stage.running("work"):
            wait_until(lambda: stage.job(job_id).progress > 0)
            stage.drain.begin()
        job = stage.job(job_id)
        assert (job.state, job.crashes) == (JobState.QUEUED, 0)
        assert job.checkpoint is not None
        assert job.checkpoint["uri"] == "last"

    def test_a_child_that_does_not_listen_counts_no_crash_either(self, stage: Stage) -> None:
        job_id = stage.add_job()
        with stage.running("work-stubbornly"):
            wait_until(lambda: stage.job(job_id).progress > 0)
            stage.drain.begin()
        job = stage.job(job_id)
        assert (job.state, job.crashes) == (JobState.QUEUED, 0)

    def test_a_job_claimed_meanwhile_goes_back_unstarted(self, stage: Stage) -> None:
        job_id = stage.add_job()
        stage.drain.begin()
        stage.run("succeed")
        assert stage.job(job_id).state is JobState.QUEUED


class TestCheckpoints:
    def test_the_newest_is_published_and_those_before_it_deleted(
        self, stage: Stage, tmp_path: Path
    ) -> None:
        job_id = stage.add_job()
        folder = tmp_path / "checkpoints"
        with stage.running("checkpoints", str(folder)):
            wait_until(lambda: (stage.job(job_id).checkpoint or {}).get("step") == 3)
            wait_until(lambda: {path.name for path in folder.iterdir()} == {"step-3"})
            stage.drain.begin()

    def test_that_are_lists_of_parts_have_no_folder_to_delete(self, stage: Stage) -> None:
        job_id = stage.add_job()
        with stage.running("parts"):
            wait_until(lambda: (stage.job(job_id).checkpoint or {}).get("step") == 3)
            assert stage.job(job_id).checkpoint == {"parts": "3" * 64, "step": 3}
            stage.drain.begin()

    def test_they_go_when_the_job_is_over(self, stage: Stage) -> None:
        job_id = stage.add_job()
        folder = checkpoints_dir(stage.folder.resolve(), job_id)
        folder.mkdir(parents=True)
        stage.run("succeed")
        assert not folder.exists()


class TestWhatAChildIsGiven:
    def test_no_setting_and_no_secret_stands_in_its_environment(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LLKD_API_KEYS", "tenant:canary-0123456789-canary")
        job_id = stage.add_job()
        stage.run("show-environment")
        result = stage.job(job_id).result
        assert result is not None
        assert "canary" not in str(result)
        assert not [name for name in result["environment"] if name.startswith("LLKD_")]
        assert result["environment"]["CUDA_VISIBLE_DEVICES"] == ""
        assert result["environment"]["OMP_NUM_THREADS"] == str(result["assignment"]["threads"])
        assert result["assignment"]["supervisor_pid"] == os.getpid()


class TestTwoSlots:
    def test_never_run_one_attempt(self, stage: Stage) -> None:
        jobs = [stage.add_job() for _ in range(6)]
        ran: list[bool] = []

        def serve() -> None:
            while stage.run("succeed"):
                ran.append(True)

        threads = [threading.Thread(target=serve) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(ran) == len(jobs)
        for job_id in jobs:
            assert stage.job(job_id).attempt == 1
            assert stage.events(job_id) == ["job.started", "job.succeeded"]


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
