"""POST /jobs."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from core.artifacts import ArtifactStore
from core.config import Settings
from core.db.base import db_now
from core.db.repositories.datasets import DatasetRepository
from core.db.session import Database
from core.db.tables import JobEventRow, JobRow
from core.ids import DatasetId, TenantId, new_dataset_id
from core.lifecycle import Queue
from llkd.specs import DistillationSpec
from tests.app.jobs.parts import add_job, job_body, store_dataset
from tests.factories import TENANT


class TestCreateJob:
    def test_it_is_queued_and_told_where_to_follow_it(
        self, client: TestClient, dataset_id: DatasetId
    ) -> None:
        answer = client.post("/jobs", json=job_body(dataset_id, name="tickets"))
        job = answer.json()
        assert answer.status_code == 202, job
        assert answer.headers["location"] == f"/jobs/{job['id']}"
        assert int(answer.headers["retry-after"]) >= 1
        assert (job["state"], job["stage"], job["stages"]) == ("queued", None, [])
        assert client.get(answer.headers["location"]).json() == job

    def test_every_default_is_resolved_and_echoed(
        self, client: TestClient, dataset_id: DatasetId
    ) -> None:
        request = client.post("/jobs", json=job_body(dataset_id)).json()["request"]
        assert request["name"] == "model"
        assert (request["training"]["epochs"], request["training"]["max_steps"]) == (None, None)
        assert request["training"]["learning_rate"] == 3e-4
        assert request["training"]["seed"] == 42
        assert request["student"] == {
            "kind": "encoder",
            "model": "minilm",
            "revision": None,
            "max_length": 256,
            "trainable": "top",
        }
        assert request["selection"]["kind"] == "llkd"
        assert request["selection"]["momentum"] is None
        assert request["budget"] == {
            "max_usd": None,
            "max_teacher_calls": None,
            "max_wall_seconds": 86_400,
        }

    def test_what_is_echoed_asks_for_the_same_job_again(
        self, client: TestClient, dataset_id: DatasetId
    ) -> None:
        body = job_body(
            dataset_id, metadata={"team": "cx"}, budget={"max_usd": 0.07, "max_teacher_calls": 9}
        )
        key = {"Idempotency-Key": "again"}
        first = client.post("/jobs", json=body, headers=key).json()
        second = client.post("/jobs", json=first["request"], headers=key)
        assert second.status_code == 202, second.json()
        assert second.json()["id"] == first["id"]

    def test_the_row_holds_a_spec_that_a_worker_can_read(
        self, client: TestClient, dataset_id: DatasetId, database: Database
    ) -> None:
        body = job_body(dataset_id, budget={"max_usd": 1.5, "max_wall_seconds": 60}, priority=3)
        client.post("/jobs", json=body)
        with database.read() as session:
            row = session.scalars(select(JobRow)).one()
        spec = DistillationSpec.model_validate(row.spec)
        assert spec == spec.resolved()
        assert spec.label_names == ("billing", "tech")
        assert (row.cap_micros, row.max_wall_seconds, row.priority) == (1_500_000, 60, 3)

    @pytest.mark.parametrize(
        ("device", "queue"), [("auto", Queue.ANY), ("cpu", Queue.CPU), ("gpu", Queue.GPU)]
    )
    def test_the_device_decides_the_queue(
        self,
        client: TestClient,
        dataset_id: DatasetId,
        database: Database,
        device: str,
        queue: Queue,
    ) -> None:
        client.post("/jobs", json=job_body(dataset_id, training={"device": device}))
        with database.read() as session:
            assert session.scalars(select(JobRow.queue)).one() == queue.value

    def test_the_bell_rings_once_the_row_can_be_read(
        self, client: TestClient, dataset_id: DatasetId, database: Database
    ) -> None:
        heard: list[tuple[Queue, int]] = []

        class Listener:
            def ring(self, queue: Queue) -> None:
                with database.read() as session:
                    seen = session.scalar(select(func.count()).select_from(JobRow)) or 0
                heard.append((queue, seen))

        client.app.state.bell = Listener()  # type: ignore[attr-defined]
        client.post("/jobs", json=job_body(dataset_id))
        client.post("/jobs", json=job_body(dataset_id, student={"model": "../x"}))
        assert heard == [(Queue.ANY, 1)]

    def test_an_evaluation_dataset_with_gold_of_the_set_is_taken(
        self,
        client: TestClient,
        dataset_id: DatasetId,
        database: Database,
        artifacts: ArtifactStore,
    ) -> None:
        # Written in another case: the same label to a reader, and to the evaluation.
        gold = store_dataset(database, artifacts, gold=["Billing", "tech"] * 20)
        body = job_body(dataset_id, evaluation={"dataset_id": gold})
        assert client.post("/jobs", json=body).status_code == 202

    def test_more_jobs_than_allowed_are_refused_until_some_end(
        self,
        client: TestClient,
        dataset_id: DatasetId,
        settings: Settings,
    ) -> None:
        few = settings.model_copy(update={"max_queued_jobs": 2})
        client.app.state.settings = few  # type: ignore[attr-defined]
        ids = [client.post("/jobs", json=job_body(dataset_id)).json()["id"] for _ in range(2)]
        refused = client.post("/jobs", json=job_body(dataset_id))
        assert (refused.status_code, refused.json()["code"]) == (429, "too-many-jobs")
        assert int(refused.headers["retry-after"]) > 0
        client.post(f"/jobs/{ids[0]}/cancel")
        assert client.post("/jobs", json=job_body(dataset_id)).status_code == 202


class TestDatasetsOfAJob:
    def test_an_unknown_one_is_named_by_its_place_in_the_body(self, client: TestClient) -> None:
        answer = client.post("/jobs", json=job_body(new_dataset_id()))
        assert (answer.status_code, answer.json()["code"]) == (422, "validation-error")
        assert answer.json()["errors"][0]["pointer"] == "/dataset_id"

    def test_another_tenants_is_as_unknown(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        foreign = store_dataset(database, artifacts, tenant=TenantId("other"))
        answer = client.post("/jobs", json=job_body(foreign))
        assert (answer.status_code, answer.json()["code"]) == (422, "validation-error")

    def test_a_deleted_one_is_gone(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        deleted = store_dataset(database, artifacts, deleted_at=db_now())
        answer = client.post("/jobs", json=job_body(deleted))
        assert (answer.status_code, answer.json()["code"]) == (410, "gone")

    def test_the_provided_teacher_needs_answers(
        self,
        client: TestClient,
        dataset_id: DatasetId,
        database: Database,
        artifacts: ArtifactStore,
    ) -> None:
        teacher = {"kind": "provided"}
        refused = client.post("/jobs", json=job_body(dataset_id, teacher=teacher))
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["code"] == "no-provided-answers"
        labelled = store_dataset(database, artifacts, provided=["tech", None] * 20)
        voted = store_dataset(database, artifacts, votes=['{"tech": 2}', None] * 20)
        for full in (labelled, voted):
            assert client.post("/jobs", json=job_body(full, teacher=teacher)).status_code == 202

    def test_half_of_what_may_be_asked_about_is_the_most_that_certifies(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        texts = [f"text {place}" for place in range(400)]
        dataset_id = store_dataset(database, artifacts, texts=texts)
        body = job_body(dataset_id, certification={"rows": 200})
        accepted = client.post("/jobs", json=body)
        assert accepted.status_code == 202
        assert accepted.json()["request"]["certification"] == {"rows": 200}
        for change in ({"certification": {"rows": 201}}, {"budget": {"max_teacher_calls": 399}}):
            refused = client.post("/jobs", json=body | change)
            assert refused.status_code == 422
            (error,) = refused.json()["errors"]
            assert error["pointer"] == "/certification/rows"
            assert error["code"] == "certification-too-large"

    def test_an_evaluation_dataset_without_gold_is_refused(
        self, client: TestClient, dataset_id: DatasetId
    ) -> None:
        body = job_body(dataset_id, evaluation={"dataset_id": dataset_id})
        refused = client.post("/jobs", json=body)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["code"] == "no-gold-labels"

    def test_provided_answers_have_no_contextual_calibration(
        self, client: TestClient, dataset_id: DatasetId
    ) -> None:
        provided = {"teacher": {"kind": "provided"}, "calibration": "contextual"}
        refused = client.post("/jobs", json=job_body(dataset_id, **provided))
        assert refused.status_code == 422
        error = refused.json()["errors"][0]
        assert (error["pointer"], error["code"]) == ("/calibration", "calibration-impossible")

    def test_gold_labels_outside_the_set_are_named(
        self,
        client: TestClient,
        dataset_id: DatasetId,
        database: Database,
        artifacts: ArtifactStore,
    ) -> None:
        gold = store_dataset(database, artifacts, gold=["billing", "refund", "spam", "tech"] * 10)
        body = job_body(dataset_id, evaluation={"dataset_id": gold})
        refused = client.post("/jobs", json=body)
        assert refused.status_code == 422
        error = refused.json()["errors"][0]
        assert error["pointer"] == "/evaluation/dataset_id"
        assert "'refund', 'spam'" in error["message"]
        assert "billing" not in error["message"]

    def test_too_many_steps_are_refused(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        many = store_dataset(database, artifacts, texts=[f"t{n}" for n in range(2001)])
        training = {"batch_size": 1, "epochs": 1000}
        refused = client.post("/jobs", json=job_body(many, training=training))
        assert (refused.status_code, refused.json()["code"]) == (422, "resource-limit")
        for allowed in ({"batch_size": 1, "epochs": 999}, {"batch_size": 1, "max_steps": 500}):
            assert client.post("/jobs", json=job_body(many, training=allowed)).status_code == 202


class TestIdempotencyKey:
    def test_the_same_request_makes_one_job(
        self, client: TestClient, dataset_id: DatasetId, database: Database
    ) -> None:
        key = {"Idempotency-Key": "order 66"}
        first = client.post("/jobs", json=job_body(dataset_id), headers=key)
        # Spelling out a default asks for the same thing.
        second = client.post("/jobs", json=job_body(dataset_id, name="model"), headers=key)
        assert (first.status_code, second.status_code) == (202, 202)
        assert first.json()["id"] == second.json()["id"]
        assert "idempotent-replayed" not in first.headers
        assert second.headers["idempotent-replayed"] == "true"
        with database.read() as session:
            assert session.scalar(select(func.count()).select_from(JobRow)) == 1

    def test_another_request_with_the_key_is_refused(
        self, client: TestClient, dataset_id: DatasetId
    ) -> None:
        key = {"Idempotency-Key": "order 66"}
        client.post("/jobs", json=job_body(dataset_id), headers=key)
        other = client.post("/jobs", json=job_body(dataset_id, name="other"), headers=key)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency-mismatch")

    def test_it_is_replayed_after_its_dataset_was_deleted(
        self, client: TestClient, dataset_id: DatasetId, database: Database
    ) -> None:
        key = {"Idempotency-Key": "k"}
        first = client.post("/jobs", json=job_body(dataset_id), headers=key)
        with database.write() as session:
            DatasetRepository(session).tombstone(TENANT, dataset_id)
        again = client.post("/jobs", json=job_body(dataset_id), headers=key)
        assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])

    @pytest.mark.parametrize("key", ["", " ", "x" * 256, "tab\there", "\x7f"])
    def test_a_key_that_is_none_is_refused(
        self, client: TestClient, dataset_id: DatasetId, key: str
    ) -> None:
        answer = client.post(
            "/jobs", json=job_body(dataset_id), headers={b"Idempotency-Key": key.encode()}
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-idempotency-key")

    def test_fifty_at_once_make_one_job(
        self, client: TestClient, dataset_id: DatasetId, database: Database
    ) -> None:
        start = Barrier(50)

        def post(_: int) -> tuple[int, str, bool]:
            start.wait()
            answer = client.post(
                "/jobs", json=job_body(dataset_id), headers={"Idempotency-Key": "race"}
            )
            replayed = answer.headers.get("idempotent-replayed") == "true"
            return answer.status_code, answer.json()["id"], replayed

        with ThreadPoolExecutor(50) as threads:
            answers = list(threads.map(post, range(50)))
        assert {status for status, _, _ in answers} == {202}
        assert len({job_id for _, job_id, _ in answers}) == 1
        assert Counter(replayed for _, _, replayed in answers) == {True: 49, False: 1}
        with database.read() as session:
            assert session.scalar(select(func.count()).select_from(JobRow)) == 1
            queued = select(func.count()).where(JobEventRow.type == "job.queued")
            assert session.scalar(queued) == 1

    def test_tenants_do_not_share_keys(
        self, client: TestClient, dataset_id: DatasetId, database: Database
    ) -> None:
        theirs = add_job(database, tenant_id=TenantId("other"), idempotency_key="k")
        ours = client.post("/jobs", json=job_body(dataset_id), headers={"Idempotency-Key": "k"})
        assert ours.status_code == 202
        assert ours.json()["id"] != theirs
