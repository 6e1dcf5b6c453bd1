"""POST /jobs/{id}/retry: the same request as a new job, once the first has come to nothing."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from core.artifacts import ArtifactStore
from core.db.base import db_now
from core.db.repositories.datasets import DatasetRepository
from core.db.session import Database
from core.db.tables import JobRow
from core.ids import DatasetId, JobId, TenantId
from core.lifecycle import JobState, Purpose, Stage
from tests.app.jobs.parts import Json, add_job, answered, finish_stages, job_body, label_output
from tests.factories import TENANT

ALIKE = (
    "name",
    "spec",
    "dataset_id",
    "evaluation_dataset_id",
    "from_job_id",
    "corrections",
    "queue",
    "priority",
    "cap_micros",
    "cap_calls",
    "max_wall_seconds",
    "labels_metadata",
)


def queue(client: TestClient, body: Json) -> str:
    answer = client.post("/jobs", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def end(database: Database, job_id: str, state: JobState = JobState.FAILED) -> None:
    with database.write() as session:
        row = session.get_one(JobRow, job_id)
        row.state, row.finished_at = state, db_now()


def retry(client: TestClient, job_id: str, **headers: str) -> Any:
    return client.post(f"/jobs/{job_id}/retry", headers=headers)


@pytest.fixture
def failed(client: TestClient, database: Database, dataset_id: DatasetId) -> str:
    """A job with wishes of its own that failed."""
    job_id = queue(
        client,
        job_body(
            dataset_id,
            name="tickets",
            instruction="Route it.",
            selection={"kind": "random", "share": 0.5},
            training={"max_steps": 40, "seed": 7},
            budget={"max_usd": 2.5, "max_wall_seconds": 600},
            metadata={"team": "cx"},
            priority=3,
        ),
    )
    end(database, job_id)
    return job_id


class TestRetry:
    @pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
    def test_it_asks_for_the_same_as_a_new_job(
        self, client: TestClient, database: Database, failed: str, state: JobState
    ) -> None:
        end(database, failed, state)
        answer = retry(client, failed)
        assert answer.status_code == 202, answer.text
        job = answer.json()
        assert answer.headers["location"] == f"/jobs/{job['id']}"
        assert "retry-after" in answer.headers
        assert (job["state"], job["attempt"], job["retry_of"]) == ("queued", 0, failed)
        assert job["request"] == client.get(f"/jobs/{failed}").json()["request"]
        with database.read() as session:
            first, second = (session.get_one(JobRow, each) for each in (failed, job["id"]))
        for column in ALIKE:
            assert getattr(second, column) == getattr(first, column), column

    def test_a_job_that_was_asked_for_by_itself_retries_none(
        self, client: TestClient, failed: str
    ) -> None:
        assert client.get(f"/jobs/{failed}").json()["retry_of"] is None

    def test_a_replay_is_replayed_from_the_same_job(
        self, client: TestClient, database: Database, artifacts: ArtifactStore, dataset_id: str
    ) -> None:
        base = queue(client, job_body(dataset_id))
        output = label_output(artifacts, [answered("tech", 0.9)] * 40)
        finish_stages(database, JobId(base), {Stage.LABEL: output})
        replayed = queue(client, {"from_job": base, "selection": {"kind": "all"}})
        end(database, replayed)
        job = retry(client, replayed).json()
        assert (job["from_job"], job["retry_of"]) == (base, replayed)
        assert job["request"]["selection"] == {"kind": "all"}

    def test_a_retry_that_failed_too_can_be_retried(
        self, client: TestClient, database: Database, failed: str
    ) -> None:
        second = retry(client, failed).json()["id"]
        end(database, second)
        assert retry(client, second).json()["retry_of"] == second


class TestIdempotencyKey:
    def test_the_same_retry_makes_one_job(
        self, client: TestClient, database: Database, failed: str
    ) -> None:
        first, second = (retry(client, failed, **{"Idempotency-Key": "again"}) for _ in range(2))
        assert first.json()["id"] == second.json()["id"]
        assert "idempotent-replayed" not in first.headers
        assert second.headers["idempotent-replayed"] == "true"
        with database.read() as session:
            assert session.scalar(select(func.count()).select_from(JobRow)) == 2

    def test_the_key_of_the_job_itself_is_no_key_of_its_retry(
        self, client: TestClient, database: Database, dataset_id: DatasetId
    ) -> None:
        key = {"Idempotency-Key": "order 66"}
        job_id = client.post("/jobs", json=job_body(dataset_id), headers=key).json()["id"]
        end(database, job_id)
        answer = retry(client, job_id, **key)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-mismatch")


class TestWhatCannotBeRetried:
    @pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED])
    def test_a_job_that_may_come_to_something_or_did(
        self, client: TestClient, database: Database, state: JobState
    ) -> None:
        answer = retry(client, add_job(database, state=state))
        assert (answer.status_code, answer.json()["code"]) == (409, "job-not-retryable")
        assert state.value in answer.json()["detail"]

    @pytest.mark.parametrize("purpose", [Purpose.PILOT, Purpose.REPORT_CARD, Purpose.PREDICT])
    def test_a_job_of_another_kind_says_where_to_ask(
        self, client: TestClient, database: Database, purpose: Purpose
    ) -> None:
        job_id = add_job(database, state=JobState.FAILED, purpose=purpose.value)
        answer = retry(client, job_id)
        assert (answer.status_code, answer.json()["code"]) == (409, "job-not-retryable")
        assert "again" in answer.json()["detail"]

    def test_another_tenants_job(self, client: TestClient, database: Database) -> None:
        job_id = add_job(database, state=JobState.FAILED, tenant_id=TenantId("other"))
        assert retry(client, job_id).status_code == 404

    def test_one_whose_dataset_was_deleted(
        self, client: TestClient, database: Database, failed: str, dataset_id: DatasetId
    ) -> None:
        with database.write() as session:
            DatasetRepository(session).tombstone(TENANT, dataset_id)
        assert retry(client, failed).status_code == 410
