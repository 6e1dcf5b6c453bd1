"""A job ends once, with the same model, whatever dies on the way."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from core.lifecycle import LIVES, Purpose, Stage
from tests.acceptance.deployment import LEASE_S, Deployment, Json, kill, wait_until
from tests.worker.corpus import make_rows

Figure = Callable[[str], None]
# Far longer than anything takes: a child that reached this place is found there.
LINGER = 600
pytestmark = pytest.mark.timeout(1500)


def lingering(*places: str) -> str:
    """Faults that hold attempt 1, 2, ... at these places."""
    return ",".join(
        f"{place}:sleep:1:{attempt}:{LINGER}" for attempt, place in enumerate(places, start=1)
    )


# A job that is over in its first stage, within a second: its teacher's answers are no labels.
UNUSABLE: Json = {"teacher": {"kind": "provided"}}


def unusable_rows() -> list[Json]:
    return [row | {"teacher_label": "nonsense"} for row in make_rows(40, gold=0)]


def assert_ended_once(deployment: Deployment, job_id: str, *, weights: str) -> None:
    outputs = deployment.outputs(job_id)
    assert set(outputs) == set(LIVES[Purpose.DISTILL])
    assert outputs["train"]["weights_sha256"] == weights
    assert len(deployment.models_of(job_id)) == 1
    ends = [event.type for event in deployment.events(job_id) if event.type == "job.succeeded"]
    assert len(ends) == 1


class TestAJobInProduction:
    def test_becomes_a_model_that_answers(self, production: Deployment, figure: Figure) -> None:
        production.start_api()
        production.start_worker()
        rows = make_rows(240, gold=40)
        job_id = production.submit(production.upload(rows))
        production.wait_for_end(job_id)
        told = production.tell(job_id)
        assert told["progress"]["percent"] == 100
        assert told["progress"]["teacher"]["asked"] == len(rows)
        assert production.executions(job_id) == dict.fromkeys(LIVES[Purpose.DISTILL], 1)
        answer = production.http.post(
            "/predict", json={"model": "tickets", "input": ["invoice word1", "crash word2"]}
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["model"] == told["model_id"]
        serving = production.http.get(f"/models/{told['model_id']}").json()["serving"]
        assert [each["chosen"] for each in serving["machines"]] == [serving["engine"]]
        labels = production.http.get(f"/jobs/{job_id}/labels", params={"limit": 100}).json()
        assert len(labels["data"]) == 100
        report = production.http.get(f"/jobs/{job_id}/report")
        assert report.status_code == 200, report.text
        figure(f"picked up after {production.pick_up_seconds(job_id):.2f} s by the bell")


class TestKilledProcesses:
    def test_the_child_at_every_stage(
        self, production: Deployment, undisturbed_weights: str, figure: Figure
    ) -> None:
        production.start_api()
        places = (
            "label.before_commit:kill:1",
            "label.after_commit:kill:1",
            "train.checkpoint:kill:3",
            "train.before_commit:kill:1",
            "evaluate.batch:kill:1",
            "export.registered:kill:1",
        )
        faults = [f"{place}:{attempt}" for attempt, place in enumerate(places, start=1)]
        production.start_worker(fault=",".join(faults))
        job_id = production.submit(production.upload())
        row = production.wait_for_end(job_id)
        assert_ended_once(production, job_id, weights=undisturbed_weights)
        assert row.attempt == len(places) + 1
        runs = production.executions(job_id)
        # Before its commit a stage runs again; after it, never.
        assert runs == {"label": 2, "train": 3, "evaluate": 2, "export": 2}
        figure(f"{len(places)} kills, executions {dict(runs)}, same sha256")

    def test_worker_and_api_at_every_stage(
        self, production: Deployment, undisturbed_weights: str, figure: Figure
    ) -> None:
        api = production.start_api()
        fault = lingering("label.begun", "train.checkpoint", "evaluate.begun", "export.begun")
        worker = production.start_worker(fault=fault)
        job_id = production.submit(production.upload())
        taken_over = []
        for attempt, stage in enumerate(LIVES[Purpose.DISTILL], start=1):
            production.wait_for_place(job_id, stage, attempt=attempt)
            kill(worker, api)
            killed = time.monotonic()
            wait_until(lambda: not production.children(), what="the child is gone", within_s=5)
            api = production.start_api()
            worker = production.start_worker(fault=fault)
            wait_until(
                lambda expected=attempt + 1: production.row(job_id).attempt == expected,  # type: ignore[misc]
                what="another worker takes over",
            )
            taken_over.append(time.monotonic() - killed)
        production.wait_for_end(job_id)
        assert_ended_once(production, job_id, weights=undisturbed_weights)
        figure(f"{len(taken_over)} kills, taken over after {max(taken_over):.1f} s at most")

    def test_everything_of_an_embedded_service(
        self, embedded: Deployment, undisturbed_weights: str, figure: Figure
    ) -> None:
        api = embedded.start_api()
        fault = lingering("train.step")
        worker = embedded.start_worker(fault=fault)
        job_id = embedded.submit(embedded.upload())
        embedded.wait_for_place(job_id, Stage.TRAIN, attempt=1)
        kill(worker, api)
        embedded.start_api()
        embedded.start_worker()
        embedded.wait_for_end(job_id)
        assert_ended_once(embedded, job_id, weights=undisturbed_weights)
        figure(f"picked up after {embedded.pick_up_seconds(job_id):.2f} s by polling")


class TestTheBroker:
    def test_is_not_needed(
        self,
        production: Deployment,
        private_redis: str,
        figure: Figure,
    ) -> None:
        production.use_redis(private_redis)
        production.start_api()
        worker = production.start_worker()
        dataset_id = production.upload(unusable_rows())
        first = production.submit(dataset_id, **UNUSABLE)
        production.wait_for_end(first, state="failed")
        with redis.Redis.from_url(private_redis) as client:
            client.flushall()
            second = production.submit(dataset_id, **UNUSABLE)
            production.wait_for_end(second, state="failed")
            client.shutdown(nosave=True)
        third = production.submit(dataset_id, **UNUSABLE)
        production.wait_for_end(third, state="failed")
        figure(f"without Redis picked up after {production.pick_up_seconds(third):.2f} s")
        worker.terminate()
        assert worker.wait(30) == 0


class TestCancelling:
    def test_works_in_every_stage(self, production: Deployment, figure: Figure) -> None:
        production.start_api()
        dataset_id = production.upload()
        worker = None
        seconds = []
        for stage in LIVES[Purpose.DISTILL]:
            if worker is not None:
                kill(worker)
            worker = production.start_worker(fault=lingering(f"{stage}.begun"))
            job_id = production.submit(dataset_id)
            production.wait_for_place(job_id, stage, attempt=1)
            asked = time.monotonic()
            answer = production.http.post(f"/jobs/{job_id}/cancel")
            assert answer.status_code == 200, answer.text
            production.wait_for_end(job_id, state="cancelled")
            seconds.append(time.monotonic() - asked)
        figure(f"cancelled after {max(seconds):.1f} s at most")


class TestTwoWorkers:
    def test_never_run_one_attempt(self, production: Deployment, figure: Figure) -> None:
        production.start_api()
        production.start_worker()
        production.start_worker()
        dataset_id = production.upload(unusable_rows())
        jobs = [production.submit(dataset_id, **UNUSABLE) for _ in range(8)]
        workers: set[str] = set()
        for job_id in jobs:
            production.wait_for_end(job_id, state="failed")
            begun = [e.data for e in production.events(job_id) if e.type == "job.started"]
            attempts = [about["attempt"] for about in begun]
            assert attempts == list(range(1, production.row(job_id).attempt + 1)), begun
            assert production.executions(job_id)["label"] <= len(attempts)
            workers |= {about["worker"].rpartition(":")[0] for about in begun}
        figure(f"8 jobs over {len(workers)} workers, no attempt twice")

    def test_one_that_slept_past_its_lease_writes_nothing(
        self, production: Deployment, figure: Figure
    ) -> None:
        production.start_api()
        dataset_id = production.upload()
        # Attempt 1 holds its output in its hands when it falls asleep.
        sleeper = production.start_worker(fault="train.before_commit:stop:1:1")
        job_id = production.submit(dataset_id)
        production.wait_for_place(job_id, Stage.TRAIN, attempt=1)
        wait_until(lambda: _are_stopped(production.children()), what="the child is stopped")
        (child,) = production.children()
        sleeper.send_signal(signal.SIGSTOP)
        production.start_worker()
        production.wait_for_end(job_id)
        before = _snapshot(production, job_id)
        sleeper.send_signal(signal.SIGCONT)
        os.kill(child, signal.SIGCONT)
        wait_until(lambda: child not in production.children(), what="the ghost's child is gone")
        time.sleep(LEASE_S)
        assert _snapshot(production, job_id) == before
        assert production.row(job_id).attempt == 2
        figure("0 stale writes")


def _snapshot(deployment: Deployment, job_id: str) -> list[object]:
    row = deployment.row(job_id)
    columns = {column.name: getattr(row, column.key, None) for column in row.__table__.columns}
    events = [(event.seq, event.type) for event in deployment.events(job_id)]
    models = [model.id for model in deployment.models_of(job_id)]
    return [columns, events, deployment.outputs(job_id), models]


def _are_stopped(pids: list[int]) -> bool:
    return bool(pids) and all(_state(pid) == "T" for pid in pids)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
