"""POST /jobs with `parent_model`: a student that goes on from a model."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from core.artifacts import ArtifactStore
from core.db.base import db_now
from core.db.repositories.jobs import JobRepository
from core.db.repositories.models import ModelRepository, NewModel
from core.db.session import Database
from core.db.tables import JobRow, ModelRow
from core.ids import DatasetId, JobId, ModelId, TenantId, new_model_id
from core.lifecycle import JobState, Stage
from tests.app.jobs.parts import (
    LABELS,
    TRAIN_OUTPUT,
    Json,
    answered,
    finish_stages,
    job_body,
    label_output,
    store_dataset,
)
from tests.factories import TENANT, make_job, make_stage

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
STUDENT: Json = {
    "kind": "encoder",
    "model": "minilm",
    "revision": None,
    "max_length": 64,
    "trainable": "all",
}
STATIC: Json = {"kind": "static", "model": "minilm", "revision": None, "max_length": 64}


def add_model(
    database: Database,
    *,
    student: Json = STUDENT,
    chosen: Json | None = None,
    labels: tuple[str, ...] = LABELS,
    tenant: TenantId = TENANT,
    parent: ModelId | None = None,
) -> ModelId:
    """A model whose job asked for this student; of a choice the chosen one."""
    with database.write() as session:
        spec = {"student": student, "teacher": {"kind": "few_shot"}}
        job = make_job(session, state=JobState.SUCCEEDED, spec=spec, tenant_id=tenant)
        if chosen is not None:
            make_stage(session, job, Stage.TRAIN, candidate={"student": chosen})
        new = NewModel(
            name="tickets",
            job_id=job.id,
            artifact="6" * 64,
            labels=list(labels),
            base_model="minilm",
            metrics={},
            export={},
            size_bytes=1,
            parent_model_id=parent,
        )
        return ModelRepository(session).register(tenant, new).id


def delete(database: Database, model_id: ModelId) -> None:
    with database.write() as session:
        row = session.get(ModelRow, model_id)
        assert row is not None
        row.deleted_at = db_now()


def refused(client: TestClient, body: Json) -> tuple[int, str, str]:
    answer = client.post("/jobs", json=body)
    problem = answer.json()
    item = problem["errors"][0] if problem["errors"] else {"pointer": "", "code": problem["code"]}
    return answer.status_code, item["pointer"], item["code"]


class TestParentModel:
    def test_a_name_is_resolved_once_and_the_student_is_the_parents(
        self, client: TestClient, dataset_id: DatasetId, database: Database
    ) -> None:
        parent = add_model(database)
        for reference in ("tickets", "tickets@latest", parent):
            answer = client.post("/jobs", json=job_body(dataset_id, parent_model=reference))
            assert answer.status_code == 202, answer.json()
            asked = answer.json()["request"]
            assert asked["parent_model"] == parent
            assert asked["student"] == STUDENT
            # The rate of a student that learns as a whole.
            assert asked["training"]["learning_rate"] == 2e-4
        add_model(database)
        assert client.get(answer.headers["location"]).json()["request"]["parent_model"] == parent
        with database.read() as session:
            rows = session.scalars(select(JobRow).where(JobRow.parent_model_id == parent)).all()
            assert len(rows) == 3
            assert all("parent_model" not in row.spec for row in rows)

    def test_what_is_echoed_asks_for_the_same_job_again(
        self, client: TestClient, dataset_id: DatasetId, database: Database
    ) -> None:
        add_model(database)
        asked = client.post("/jobs", json=job_body(dataset_id, parent_model="tickets")).json()
        again = client.post("/jobs", json=asked["request"]).json()
        assert again["request"] == asked["request"]

    def test_of_several_students_the_one_that_was_kept_goes_on(
        self, client: TestClient, dataset_id: DatasetId, database: Database
    ) -> None:
        choice = {"kind": "choice", "candidates": [STUDENT, STATIC], "target": None}
        add_model(database, student=choice, chosen=STATIC)
        asked = client.post("/jobs", json=job_body(dataset_id, parent_model="tickets")).json()
        assert asked["request"]["student"] == STATIC
        assert asked["request"]["training"]["learning_rate"] == 3e-3

    def test_what_does_not_contradict_it_may_be_said(
        self, client: TestClient, dataset_id: DatasetId, database: Database
    ) -> None:
        add_model(database)
        for said in ({}, {"trainable": "top"}, {"max_length": 64, "trainable": "top"}):
            body = job_body(dataset_id, parent_model="tickets", student=said)
            asked = client.post("/jobs", json=body).json()["request"]
            assert asked["student"] == STUDENT | said

    def test_without_a_parent_nothing_is_said_of_one(
        self, client: TestClient, dataset_id: DatasetId, database: Database
    ) -> None:
        asked = client.post("/jobs", json=job_body(dataset_id)).json()["request"]
        assert asked["parent_model"] is None
        with database.read() as session:
            assert session.scalars(select(JobRow)).one().parent_model_id is None

    def test_it_is_estimated_as_the_job_that_it_is(
        self, client: TestClient, dataset_id: DatasetId, database: Database
    ) -> None:
        add_model(database)
        body = job_body(dataset_id, parent_model="tickets")
        assert client.post("/jobs/estimate", json=body).status_code == 200
        body["labels"] = [{"name": "billing"}, {"name": "sales"}]
        assert client.post("/jobs/estimate", json=body).status_code == 422


class TestSentTwice:
    def test_the_same_request_is_the_same_job_wherever_the_name_leads_by_then(
        self, client: TestClient, dataset_id: DatasetId, database: Database
    ) -> None:
        parent = add_model(database)
        body = job_body(dataset_id, parent_model="tickets")
        key = {"Idempotency-Key": "again"}
        first = client.post("/jobs", json=body, headers=key).json()
        add_model(database)
        delete(database, parent)
        second = client.post("/jobs", json=body, headers=key)
        assert second.json()["id"] == first["id"]

    @pytest.mark.parametrize("change", [{"parent_model": None}, {"student": {}}])
    def test_another_parent_or_student_is_another_request(
        self, client: TestClient, dataset_id: DatasetId, database: Database, change: Json
    ) -> None:
        add_model(database)
        body = job_body(dataset_id, parent_model="tickets")
        key = {"Idempotency-Key": "again"}
        assert client.post("/jobs", json=body, headers=key).status_code == 202
        answer = client.post("/jobs", json=body | change, headers=key)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-mismatch")


@on_sqlite
class TestRefusals:
    @pytest.mark.parametrize(
        ("labels", "told"),
        [
            (["billing", "sales"], "missing: 'tech'; not among the parent's: 'sales'"),
            (["billing", "tech", "sales"], "not among the parent's: 'sales'"),
            (["tech", "billing"], "in another order; the parent's is 'billing', 'tech'"),
            (["Billing", "tech"], "missing: 'billing'; not among the parent's: 'Billing'"),
        ],
    )
    def test_other_labels_are_named(
        self,
        client: TestClient,
        dataset_id: DatasetId,
        database: Database,
        labels: list[str],
        told: str,
    ) -> None:
        add_model(database)
        body = job_body(dataset_id, parent_model="tickets", labels=[{"name": n} for n in labels])
        assert refused(client, body) == (422, "/labels", "parent-labels")
        assert told in client.post("/jobs", json=body).json()["detail"]

    @pytest.mark.parametrize(
        ("student", "pointer"),
        [
            ({"kind": "static"}, "/student/kind"),
            ({"model": "local/other"}, "/student/model"),
            ({"max_length": 256}, "/student/max_length"),
            ({"revision": "a" * 40}, "/student/revision"),
            ({"candidates": [{"kind": "static"}, {"max_length": 64}]}, "/student/candidates"),
        ],
    )
    def test_another_student_is_named(
        self,
        client: TestClient,
        dataset_id: DatasetId,
        database: Database,
        student: Json,
        pointer: str,
    ) -> None:
        add_model(database)
        body = job_body(dataset_id, parent_model="tickets", student=student)
        assert refused(client, body) == (422, pointer, "parent-student")

    def test_what_is_none_of_the_tenants_models_is_not_found(
        self, client: TestClient, dataset_id: DatasetId, database: Database
    ) -> None:
        foreign = add_model(database, tenant=TenantId("other"))
        for reference in (foreign, "tickets", "nothing@champion", new_model_id()):
            body = job_body(dataset_id, parent_model=reference)
            assert refused(client, body) == (422, "/parent_model", "not-found"), reference

    @pytest.mark.parametrize("reference", ["", "Tickets", "a@b@c", "\0", 7, "job_1", ["tickets"]])
    def test_what_can_name_none_is_not_valid(
        self, client: TestClient, dataset_id: DatasetId, reference: Any
    ) -> None:
        status, pointer, _ = refused(client, job_body(dataset_id, parent_model=reference))
        assert (status, pointer) == (422, "/parent_model")

    def test_a_deleted_one_is_gone(
        self, client: TestClient, dataset_id: DatasetId, database: Database
    ) -> None:
        delete(database, add_model(database))
        body = job_body(dataset_id, parent_model="tickets")
        assert refused(client, body)[:2] == (410, "/parent_model")


class TestReplay:
    def base(
        self, client: TestClient, database: Database, artifacts: ArtifactStore, **given: Any
    ) -> Json:
        dataset_id = store_dataset(database, artifacts)
        job: Json = client.post("/jobs", json=job_body(dataset_id, **given)).json()
        output = label_output(artifacts, [answered("tech", 0.9)] * 40)
        finish_stages(database, JobId(job["id"]), {Stage.LABEL: output})
        return job

    def test_the_parent_stays_unless_another_or_none_is_named(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        parent = add_model(database)
        base = self.base(client, database, artifacts, parent_model="tickets")
        other = add_model(database)
        for said, expected in (
            ({}, parent),
            ({"parent_model": "tickets"}, other),
            ({"parent_model": None}, None),
        ):
            job = client.post("/jobs", json={"from_job": base["id"], **said}).json()
            assert job["request"]["parent_model"] == expected
            assert job["request"]["student"] == STUDENT
            again = client.post("/jobs", json=job["request"]).json()
            assert again["request"] == job["request"]

    def test_the_same_answers_with_and_without_a_parent_are_compared(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        parent = add_model(database)
        base = self.base(client, database, artifacts, student=STUDENT)
        job = client.post("/jobs", json={"from_job": base["id"], "parent_model": parent}).json()
        told = client.get("/jobs/compare", params={"ids": f"{base['id']},{job['id']}"}).json()
        assert [each["parent_model"] for each in told["data"]] == [None, parent]

    @on_sqlite
    def test_another_student_than_the_parents_is_refused(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        add_model(database)
        base = self.base(client, database, artifacts)
        body = {"from_job": base["id"], "parent_model": "tickets"}
        assert refused(client, body) == (422, "/student/max_length", "parent-student")


class TestUsesModel:
    def test_queued_and_running_jobs_are_named_until_they_end(
        self, client: TestClient, dataset_id: DatasetId, database: Database
    ) -> None:
        parent = add_model(database)
        job = client.post("/jobs", json=job_body(dataset_id, parent_model=parent)).json()
        client.post("/jobs", json=job_body(dataset_id))
        with database.read() as session:
            assert JobRepository(session).uses_model(parent) == [job["id"]]
        answer = client.delete(f"/models/{parent}")
        assert (answer.status_code, answer.json()["code"]) == (409, "resource-in-use")
        assert job["id"] in answer.json()["detail"]
        finish_stages(database, JobId(job["id"]), {Stage.TRAIN: TRAIN_OUTPUT})
        with database.read() as session:
            assert JobRepository(session).uses_model(parent) == []
        assert client.delete(f"/models/{parent}").status_code == 204

    @pytest.mark.parametrize("database", ["postgresql"], indirect=True)
    def test_no_job_starts_from_a_model_that_is_deleted_at_the_same_moment(
        self, client: TestClient, dataset_id: DatasetId, database: Database
    ) -> None:
        for _ in range(10):
            parent = add_model(database)
            start = Barrier(2)

            def delete_it(model_id: ModelId = parent, start: Barrier = start) -> int:
                start.wait()
                return client.delete(f"/models/{model_id}").status_code

            def use_it(model_id: ModelId = parent, start: Barrier = start) -> int:
                start.wait()
                body = job_body(dataset_id, parent_model=model_id)
                return client.post("/jobs", json=body).status_code

            with ThreadPoolExecutor(2) as pool:
                ends = [pool.submit(delete_it), pool.submit(use_it)]
            assert [end.result() for end in ends] in ([204, 410], [409, 202])


def test_a_model_tells_its_parent(client: TestClient, database: Database) -> None:
    parent = add_model(database)
    child = add_model(database, parent=parent)
    assert client.get(f"/models/{child}").json()["parent_model_id"] == parent
    assert client.get(f"/models/{parent}").json()["parent_model_id"] is None
