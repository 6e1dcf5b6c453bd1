"""GET /jobs, /jobs/{id}, and cancelling."""

import pytest
from fastapi.testclient import TestClient

from core.artifacts import ArtifactStore
from core.db.repositories.claims import Claim
from core.db.repositories.engine import EngineRepository
from core.db.repositories.events import EventRepository
from core.db.repositories.jobs import JobRepository
from core.db.session import Database
from core.db.tables import JobRow
from core.ids import JobId, TenantId
from core.lifecycle import EventType, JobState, Stage
from tests.app.jobs.parts import TRAIN_OUTPUT, add_job, finish_stages, label_output
from tests.factories import LEASE, TENANT


class TestGetJob:
    def test_a_running_job_tells_its_stages_and_its_progress(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        job_id = add_job(database)
        finish_stages(database, job_id, {Stage.LABEL: label_output(artifacts, [])}, ended=False)
        _begin_training(database, job_id)
        job = client.get(f"/jobs/{job_id}").json()
        assert (job["state"], job["stage"], job["attempt"]) == ("running", "train", 1)
        told = [(stage["name"], stage["state"]) for stage in job["stages"]]
        assert told == [("label", "succeeded"), ("train", "running")]
        assert job["stages"][1]["started_at"] is not None
        assert job["stages"][1]["finished_at"] is None
        assert job["progress"]["percent"] == 62.5
        assert job["progress"]["eta_seconds"] == 410
        assert job["progress"]["teacher"]["answered"] == 39
        assert job["usage"] == {
            "input_tokens": 7,
            "output_tokens": 0,
            "cost_usd": 0.0,
            "teacher_calls": 0,
        }

    def test_a_stage_that_was_interrupted_waits(
        self, client: TestClient, database: Database
    ) -> None:
        job_id = add_job(database, state=JobState.QUEUED, stage="label")
        with database.write() as session:
            EventRepository(session).append(job_id, EventType.STAGE_STARTED, {"stage": "label"})
        job = client.get(f"/jobs/{job_id}").json()
        assert [(s["name"], s["state"]) for s in job["stages"]] == [("label", "waiting")]

    def test_a_finished_job_tells_its_model_and_is_complete(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        job_id = add_job(database)
        outputs = {Stage.LABEL: label_output(artifacts, []), Stage.TRAIN: TRAIN_OUTPUT}
        finish_stages(database, job_id, outputs)
        answer = client.get(f"/jobs/{job_id}")
        job = answer.json()
        assert (job["state"], job["progress"]["percent"]) == ("succeeded", 100.0)
        assert job["model_id"].startswith("model_")
        assert job["stop_reason"] == "completed"
        assert job["finished_at"] is not None
        assert "retry-after" not in answer.headers

    @pytest.mark.parametrize("reason", ["budget", "time"])
    def test_what_cut_labelling_short_is_why_training_stopped(
        self, client: TestClient, database: Database, artifacts: ArtifactStore, reason: str
    ) -> None:
        job_id = add_job(database)
        cut = label_output(artifacts, []) | {"cut_short": reason}
        finish_stages(database, job_id, {Stage.LABEL: cut, Stage.TRAIN: TRAIN_OUTPUT})
        assert client.get(f"/jobs/{job_id}").json()["stop_reason"] == reason

    def test_so_it_is_with_a_job_of_an_earlier_release(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        job_id = add_job(database)
        cut = label_output(artifacts, []) | {"budget_reached": True}
        del cut["cut_short"]
        finish_stages(database, job_id, {Stage.LABEL: cut, Stage.TRAIN: TRAIN_OUTPUT})
        assert client.get(f"/jobs/{job_id}").json()["stop_reason"] == "budget"

    def test_a_failed_job_tells_its_problem(self, client: TestClient, database: Database) -> None:
        problem = {"code": "teacher-unusable", "status": 422, "detail": "It fails."}
        job_id = add_job(database, state=JobState.FAILED, error=problem)
        assert client.get(f"/jobs/{job_id}").json()["error"] == problem

    def test_an_unchanged_job_is_not_sent_again(
        self, client: TestClient, database: Database
    ) -> None:
        job_id = add_job(database)
        first = client.get(f"/jobs/{job_id}")
        tag = first.headers["etag"]
        for held in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = client.get(f"/jobs/{job_id}", headers={"If-None-Match": held})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
        with database.write() as session:
            JobRepository(session).request_cancel(TENANT, job_id)
        changed = client.get(f"/jobs/{job_id}", headers={"If-None-Match": tag})
        assert (changed.status_code, changed.json()["state"]) == (200, "cancelled")
        assert changed.headers["etag"] != tag

    def test_while_active_it_says_when_to_ask_again(
        self, client: TestClient, database: Database
    ) -> None:
        job_id = add_job(database)
        assert client.get(f"/jobs/{job_id}").headers["retry-after"] == "2"


class TestListJobs:
    def test_pages_go_from_newest_to_oldest_without_gap_or_repeat(
        self, client: TestClient, database: Database
    ) -> None:
        made = [add_job(database) for _ in range(5)]
        seen: list[str] = []
        after: dict[str, str] = {}
        while True:
            page = client.get("/jobs", params={"limit": 2, **after}).json()
            seen += [job["id"] for job in page["data"]]
            assert (page["first_id"], page["last_id"]) == (seen[-len(page["data"])], seen[-1])
            if not page["has_more"]:
                break
            after = {"after": page["last_id"]}
        assert seen == sorted(made, reverse=True)

    def test_an_entry_is_the_job_itself(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        job_id = add_job(database)
        finish_stages(database, job_id, {Stage.LABEL: label_output(artifacts, [])}, ended=False)
        _begin_training(database, job_id)
        (entry,) = client.get("/jobs").json()["data"]
        assert entry == client.get(f"/jobs/{job_id}").json()

    def test_it_is_narrowed_by_state_dataset_and_metadata(
        self, client: TestClient, database: Database
    ) -> None:
        plain = add_job(database)
        failed = add_job(database, state=JobState.FAILED)
        marked = add_job(database, labels_metadata={"team": "cx", "a.b": "1"})
        add_job(database, labels_metadata={"team": "cx"})
        with database.read() as session:
            row = session.get(JobRow, plain)
            assert row is not None
            dataset = row.dataset_id

        def ids(**asked: str) -> list[str]:
            return [job["id"] for job in client.get("/jobs", params=asked).json()["data"]]

        assert ids(state="failed") == [failed]
        assert ids(dataset_id=dataset) == [plain]
        assert ids(**{"metadata[team]": "cx", "metadata[a.b]": "1"}) == [marked]
        assert ids(**{"metadata[team]": "other"}) == []

    def test_other_tenants_jobs_are_not_in_it(self, client: TestClient, database: Database) -> None:
        add_job(database, tenant_id=TenantId("other"))
        page = client.get("/jobs").json()
        assert (page["data"], page["first_id"], page["has_more"]) == ([], None, False)


class TestCancelJob:
    def test_a_queued_job_is_cancelled_at_once(
        self, client: TestClient, database: Database
    ) -> None:
        job = client.post(f"/jobs/{add_job(database)}/cancel").json()
        assert job["state"] == "cancelled"
        assert job["finished_at"] is not None

    def test_a_running_job_is_asked_to_stop(self, client: TestClient, database: Database) -> None:
        job_id = add_job(database, state=JobState.RUNNING)
        answer = client.post(f"/jobs/{job_id}/cancel")
        assert answer.status_code == 200
        assert answer.json()["state"] == "running"
        assert answer.json()["cancel_requested_at"] is not None

    @pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.CANCELLED])
    def test_asking_twice_changes_nothing(
        self, client: TestClient, database: Database, state: JobState
    ) -> None:
        job_id = add_job(database, state=state)
        first = client.post(f"/jobs/{job_id}/cancel")
        second = client.post(f"/jobs/{job_id}/cancel")
        assert (second.status_code, second.json()) == (200, first.json())

    @pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.FAILED])
    def test_a_job_that_ended_by_itself_cannot_be_cancelled(
        self, client: TestClient, database: Database, state: JobState
    ) -> None:
        job_id = add_job(database, state=state)
        answer = client.post(f"/jobs/{job_id}/cancel")
        assert (answer.status_code, answer.json()["code"]) == (409, "job-not-cancellable")
        assert client.get(f"/jobs/{job_id}").json()["state"] == state


def _begin_training(database: Database, job_id: JobId) -> None:
    """The worker's heartbeat and its next stage."""
    claim = Claim(job_id, 1)
    detail = {"percent": 62.5, "eta_seconds": 410, "teacher": {"answered": 39}}
    with database.write() as session:
        EngineRepository(session).heartbeat(
            claim,
            lease=LEASE,
            progress=5,
            detail=detail | {"tokens": {"input": 7, "output": 0}},
            checkpoint=None,
        )
    with database.write() as session:
        EngineRepository(session).fence(claim, stage="train")
        EventRepository(session).append(job_id, EventType.STAGE_STARTED, {"stage": "train"})
