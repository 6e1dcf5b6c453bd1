"""POST /jobs/estimate with a pilot, its forecast alone, and the forecast in a job's report."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from core.artifacts import ArtifactStore
from core.config import Settings
from core.db.base import db_now
from core.db.session import Database
from core.db.tables import DatasetRow, JobRow
from core.ids import DatasetId, JobId
from core.lifecycle import JobState, Purpose, Stage
from tests.app.jobs.parts import (
    TRAIN_OUTPUT,
    Json,
    add_job,
    answered,
    evaluate_output,
    finish_stages,
    job_body,
    label_output,
)

FORECAST: Json = {
    "against": "gold",
    "measured_on": 500,
    "points": [
        {"answers": 10, "value": 0.5, "low": 0.4, "high": 0.6},
        {"answers": 1000, "value": 0.7, "low": 0.5, "high": 0.9},
    ],
}


def estimate(client: TestClient, dataset_id: DatasetId, **changes: Any) -> Json:
    answer = client.post("/jobs/estimate", json=job_body(dataset_id, **changes) | {"pilot": True})
    assert answer.status_code == 200, answer.text
    pilot: Json = answer.json()["pilot"]
    return pilot


def finish_pilot(database: Database, artifacts: ArtifactStore, job_id: str, **changes: Any) -> None:
    outputs = {
        Stage.LABEL: label_output(artifacts, [answered("tech", 0.9)] * 40),
        Stage.FORECAST: {
            "forecast": FORECAST | changes,
            "effort": {"units": 1, "seconds": 1.0},
        },
    }
    finish_stages(database, JobId(job_id), outputs)


@pytest.fixture
def finished(
    client: TestClient, dataset_id: DatasetId, database: Database, artifacts: ArtifactStore
) -> str:
    """The id of a pilot that has succeeded."""
    job_id: str = estimate(client, dataset_id)["job_id"]
    finish_pilot(database, artifacts, job_id)
    return job_id


class TestPilot:
    def test_a_job_of_a_few_calls_is_queued_and_told(
        self, client: TestClient, dataset_id: DatasetId, database: Database
    ) -> None:
        pilot = estimate(client, dataset_id, budget={"max_teacher_calls": 20_000})
        assert (pilot["state"], pilot["forecast"], pilot["error"]) == ("queued", None, None)
        job = client.get(f"/jobs/{pilot['job_id']}").json()
        assert job["purpose"] == "pilot"
        assert job["request"]["budget"]["max_teacher_calls"] == 300

    def test_a_smaller_budget_holds_for_it_too(
        self, client: TestClient, dataset_id: DatasetId
    ) -> None:
        pilot = estimate(client, dataset_id, budget={"max_teacher_calls": 70})
        job = client.get(f"/jobs/{pilot['job_id']}").json()
        assert job["request"]["budget"]["max_teacher_calls"] == 70

    def test_asked_again_it_is_the_same_whatever_the_student(
        self, client: TestClient, dataset_id: DatasetId
    ) -> None:
        first = estimate(client, dataset_id)
        assert estimate(client, dataset_id)["job_id"] == first["job_id"]
        other = estimate(client, dataset_id, selection={"kind": "all"}, name="other")
        assert other["job_id"] == first["job_id"]
        changed = estimate(client, dataset_id, labels=[{"name": "a"}, {"name": "b"}])
        assert changed["job_id"] != first["job_id"]

    def test_once_it_has_succeeded_the_forecast_is_there(
        self, client: TestClient, dataset_id: DatasetId, finished: str
    ) -> None:
        again = estimate(client, dataset_id)
        assert (again["job_id"], again["state"]) == (finished, "succeeded")
        assert again["forecast"] == FORECAST

    @pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
    def test_one_that_did_not_succeed_is_followed_by_another(
        self, client: TestClient, dataset_id: DatasetId, database: Database, state: JobState
    ) -> None:
        pilot = estimate(client, dataset_id)
        client.post(f"/jobs/{pilot['job_id']}/cancel")
        with database.write() as session:
            row = session.get(JobRow, pilot["job_id"])
            assert row is not None
            row.state = state
        again = estimate(client, dataset_id)
        assert (again["job_id"] != pilot["job_id"], again["state"]) == (True, "queued")

    def test_without_being_asked_for_there_is_none(
        self, client: TestClient, dataset_id: DatasetId
    ) -> None:
        body = job_body(dataset_id)
        assert client.post("/jobs/estimate", json=body).json()["pilot"] is None
        assert client.get("/jobs").json()["data"] == []

    def test_it_counts_among_the_unfinished_jobs(
        self, client: TestClient, dataset_id: DatasetId, settings: Settings
    ) -> None:
        client.app.state.settings = settings.model_copy(  # type: ignore[attr-defined]
            update={"max_queued_jobs": 0}
        )
        body = job_body(dataset_id) | {"pilot": True}
        answer = client.post("/jobs/estimate", json=body)
        assert (answer.status_code, answer.json()["code"]) == (429, "too-many-jobs")

    def test_a_key_of_the_callers_cannot_be_a_pilots(
        self, client: TestClient, dataset_id: DatasetId
    ) -> None:
        answer = client.post(
            "/jobs", json=job_body(dataset_id), headers={"Idempotency-Key": "\x01pilot:x:0"}
        )
        assert answer.status_code == 400


class TestForecast:
    """GET /jobs/{id}/forecast."""

    def test_it_is_what_the_pilot_came_to_and_starts_none(
        self, client: TestClient, finished: str
    ) -> None:
        answer = client.get(f"/jobs/{finished}/forecast")
        assert (answer.status_code, answer.json()) == (200, FORECAST)
        assert [job["id"] for job in client.get("/jobs").json()["data"]] == [finished]

    def test_it_outlives_the_dataset(
        self, client: TestClient, dataset_id: DatasetId, database: Database, finished: str
    ) -> None:
        with database.write() as session:
            dataset = session.get(DatasetRow, dataset_id)
            assert dataset is not None
            dataset.deleted_at = db_now()
        assert client.get(f"/jobs/{finished}/forecast").json() == FORECAST

    def test_it_is_not_there_before_the_pilot_has_ended(
        self, client: TestClient, dataset_id: DatasetId
    ) -> None:
        pilot = estimate(client, dataset_id)
        answer = client.get(f"/jobs/{pilot['job_id']}/forecast")
        assert (answer.status_code, answer.json()["code"]) == (409, "forecast-not-ready")

    @pytest.mark.parametrize(
        ("purpose", "state"),
        [
            (Purpose.DISTILL, JobState.QUEUED),
            (Purpose.REPORT_CARD, JobState.SUCCEEDED),
            (Purpose.PILOT, JobState.FAILED),
        ],
    )
    def test_one_that_will_never_be_is_not_to_be_polled(
        self, client: TestClient, database: Database, purpose: Purpose, state: JobState
    ) -> None:
        job_id = add_job(database, purpose=purpose.value, state=state)
        answer = client.get(f"/jobs/{job_id}/forecast")
        assert (answer.status_code, answer.json()["code"]) == (409, "no-result")

    def test_an_unknown_job_is_not_found(self, client: TestClient) -> None:
        answer = client.get("/jobs/job_01JZ8Q1V7F2D9S3X6A4E8B0YCW/forecast")
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


class TestScore:
    def evaluated(
        self,
        client: TestClient,
        database: Database,
        artifacts: ArtifactStore,
        dataset_id: DatasetId,
        **changes: Any,
    ) -> Json:
        """The report of a job with 39 answers and a macro-F1 of 0.8."""
        job_id = client.post("/jobs", json=job_body(dataset_id, **changes)).json()["id"]
        outputs = {
            Stage.LABEL: label_output(artifacts, [answered("tech", 0.9)] * 40),
            Stage.TRAIN: TRAIN_OUTPUT,
            Stage.EVALUATE: evaluate_output(with_gold=True),
        }
        finish_stages(database, job_id, outputs)
        report: Json = client.get(f"/jobs/{job_id}/report").json()
        return report

    def test_the_report_holds_the_forecast_against_what_came(
        self,
        client: TestClient,
        dataset_id: DatasetId,
        database: Database,
        artifacts: ArtifactStore,
        finished: str,
    ) -> None:
        score = self.evaluated(client, database, artifacts, dataset_id)["forecast"]
        assert (score["pilot_job_id"], score["actual"]) == (finished, 0.8)
        # log 39 lies 0.296 of the way from log 10 to log 1000.
        assert score["forecast"]["answers"] == 39
        assert score["forecast"]["value"] == pytest.approx(0.559, abs=0.001)
        assert score["forecast"]["high"] == pytest.approx(0.689, abs=0.001)
        assert not score["inside"]

    @pytest.mark.parametrize(
        ("pilot_is", "changes"),
        [({"against": "teacher"}, {}), ({}, {"labels": [{"name": "billing"}, {"name": "x"}]})],
    )
    def test_a_forecast_of_something_else_is_not_scored(
        self,
        client: TestClient,
        dataset_id: DatasetId,
        database: Database,
        artifacts: ArtifactStore,
        pilot_is: Json,
        changes: Json,
    ) -> None:
        pilot = estimate(client, dataset_id)
        finish_pilot(database, artifacts, pilot["job_id"], **pilot_is)
        report = self.evaluated(client, database, artifacts, dataset_id, **changes)
        assert report["forecast"] is None

    def test_without_a_pilot_there_is_none(
        self,
        client: TestClient,
        dataset_id: DatasetId,
        database: Database,
        artifacts: ArtifactStore,
    ) -> None:
        report = self.evaluated(client, database, artifacts, dataset_id)
        assert report["forecast"] is None
