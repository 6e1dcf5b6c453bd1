"""POST /jobs with `from_job`: another student from the same answers."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from core.artifacts import ArtifactStore
from core.db.session import Database
from core.db.tables import JobRow
from core.ids import DatasetId, JobId
from core.lifecycle import JobState, Purpose, Stage
from llkd.specs import DistillationSpec
from tests.app.jobs.parts import Json, add_job, answered, finish_stages, job_body, label_output
from tests.factories import make_job

STRANGER = "job_01JZ8Q1V7F2D9S3X6A4E8B0YCW"


@pytest.fixture
def base(
    client: TestClient, dataset_id: DatasetId, database: Database, artifacts: ArtifactStore
) -> Json:
    """A job whose labels are there."""
    body = job_body(
        dataset_id,
        name="tickets",
        instruction="Route it.",
        training={"learning_rate": 1e-4, "seed": 7},
        budget={"max_usd": 2.5},
        metadata={"team": "cx"},
    )
    job: Json = client.post("/jobs", json=body).json()
    output = label_output(artifacts, [answered("tech", 0.9)] * 40)
    finish_stages(database, JobId(job["id"]), {Stage.LABEL: output})
    return job


def replay(client: TestClient, base: Json, **changes: Any) -> Json:
    answer = client.post("/jobs", json={"from_job": base["id"], **changes})
    assert answer.status_code == 202, answer.json()
    job: Json = answer.json()
    return job


class TestReplay:
    def test_what_is_not_given_is_that_jobs(
        self, client: TestClient, base: Json, database: Database
    ) -> None:
        job = replay(client, base)
        assert job["from_job"] == base["id"]
        assert job["dataset_id"] == base["dataset_id"]
        with database.read() as session:
            rows = session.scalars(select(JobRow).order_by(JobRow.id)).all()
        first, second = rows
        assert second.spec == first.spec
        assert (second.name, second.cap_micros) == ("tickets", 2_500_000)
        assert second.labels_metadata == {}
        assert DistillationSpec.model_validate(second.spec).instruction == "Route it."

    def test_another_selection_trains_as_long_as_it_wants(
        self, client: TestClient, base: Json
    ) -> None:
        training = replay(client, base, selection={"kind": "all"})["request"]["training"]
        assert (training["epochs"], training["max_steps"]) == (None, None)
        assert (training["learning_rate"], training["seed"]) == (1e-4, 7)

    def test_a_length_that_was_asked_for_stays(
        self,
        client: TestClient,
        dataset_id: DatasetId,
        database: Database,
        artifacts: ArtifactStore,
    ) -> None:
        body = job_body(dataset_id, training={"epochs": 5})
        asked: Json = client.post("/jobs", json=body).json()
        output = label_output(artifacts, [answered("tech", 0.9)] * 40)
        finish_stages(database, JobId(asked["id"]), {Stage.LABEL: output})
        training = replay(client, asked, selection={"kind": "all"})["request"]["training"]
        assert training["epochs"] == 5

    def test_more_of_the_student_learning_learns_at_its_own_rate(
        self, client: TestClient, base: Json
    ) -> None:
        training = replay(client, base, student={"trainable": "all"})["request"]["training"]
        assert (training["learning_rate"], training["seed"]) == (2e-4, 7)

    def test_several_students_learn_at_a_rate_of_their_own_each(
        self, client: TestClient, base: Json
    ) -> None:
        student = {"candidates": [{"kind": "static"}, {}], "target": {"p95_ms": 10}}
        request = replay(client, base, student=student)["request"]
        assert request["training"]["learning_rate"] is None
        assert [each["kind"] for each in request["student"]["candidates"]] == ["static", "encoder"]
        assert request["student"]["target"] == {"p95_ms": 10.0, "device": "cpu"}

    def test_another_threshold_of_the_same_selection_trains_as_before(
        self, client: TestClient, base: Json
    ) -> None:
        job = replay(client, base, selection={"kind": "llkd", "momentum": 0.9})
        assert job["request"]["training"] == base["request"]["training"]
        assert job["request"]["selection"]["momentum"] == 0.9

    def test_a_training_that_is_given_replaces_the_whole_one(
        self, client: TestClient, base: Json
    ) -> None:
        training = replay(client, base, training={"seed": 8})["request"]["training"]
        assert (training["seed"], training["max_steps"]) == (8, None)
        assert training["learning_rate"] != 1e-4

    def test_what_is_echoed_asks_for_the_same_job_again(
        self, client: TestClient, base: Json
    ) -> None:
        body = {"from_job": base["id"], "selection": {"kind": "all"}, "metadata": {"n": "2"}}
        headers = {"Idempotency-Key": "again"}
        first = client.post("/jobs", json=body, headers=headers).json()
        second = client.post("/jobs", json=first["request"], headers=headers)
        assert second.status_code == 202, second.json()
        assert second.json()["id"] == first["id"]
        other = body | {"selection": {"kind": "random"}}
        refused = client.post("/jobs", json=other, headers=headers)
        assert refused.json()["code"] == "idempotency-mismatch"

    def test_a_replay_can_be_replayed(
        self, client: TestClient, base: Json, database: Database, artifacts: ArtifactStore
    ) -> None:
        second = replay(client, base, selection={"kind": "all"})
        output = label_output(artifacts, [answered("tech", 0.9)] * 40)
        finish_stages(database, JobId(second["id"]), {Stage.LABEL: output})
        third = replay(client, second)
        assert third["request"]["selection"] == {"kind": "all"}
        assert third["dataset_id"] == base["dataset_id"]


class TestRefused:
    def test_an_unknown_job_is_named_by_its_field(self, client: TestClient) -> None:
        refused = client.post("/jobs", json={"from_job": STRANGER})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "/from_job"
        assert refused.json()["errors"][0]["code"] == "not-found"

    def test_another_tenants_job_is_as_unknown(
        self, client: TestClient, database: Database
    ) -> None:
        with database.write() as session:
            theirs = make_job(session, tenant_id="other").id
        assert client.post("/jobs", json={"from_job": theirs}).status_code == 422

    def test_answers_that_are_not_there_yet_cannot_be_used(
        self, client: TestClient, dataset_id: DatasetId
    ) -> None:
        job = client.post("/jobs", json=job_body(dataset_id)).json()
        refused = client.post("/jobs", json={"from_job": job["id"]})
        assert (refused.status_code, refused.json()["code"]) == (409, "labels-not-ready")

    @pytest.mark.parametrize("purpose", [Purpose.PREDICT, Purpose.REPORT_CARD])
    def test_a_job_that_never_has_answers_is_not_to_be_polled(
        self, client: TestClient, database: Database, purpose: Purpose
    ) -> None:
        job_id = add_job(database, state=JobState.SUCCEEDED, purpose=purpose.value)
        refused = client.post("/jobs", json={"from_job": job_id})
        assert (refused.status_code, refused.json()["code"]) == (409, "no-result")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("labels", [{"name": "a"}, {"name": "b"}]),
            ("teacher", {"kind": "few_shot"}),
            ("dataset_id", "ds_01JZ8PW3N6C4Q0G7H2K5M9R1TB"),
            ("evaluation", {"dataset_id": None}),
        ],
    )
    def test_what_the_answers_depend_on_cannot_change(
        self, client: TestClient, base: Json, field: str, value: object
    ) -> None:
        refused = client.post("/jobs", json={"from_job": base["id"], field: value})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == f"/{field}"

    @pytest.mark.parametrize("value", [None, 3, "", "job_1", ["job"]])
    def test_an_id_of_another_form_is_refused(self, client: TestClient, value: object) -> None:
        refused = client.post("/jobs", json={"from_job": value})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "/from_job"

    def test_a_fault_deep_in_a_replay_is_pointed_at(self, client: TestClient, base: Json) -> None:
        body = {"from_job": base["id"], "selection": {"kind": "llkd", "momentum": 2}}
        refused = client.post("/jobs", json=body)
        assert refused.json()["errors"][0]["pointer"] == "/selection/momentum"
