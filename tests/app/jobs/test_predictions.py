"""/predictions: a dataset in, a file of predictions out."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from app.jobs import predictions
from core.artifacts import ArtifactStore
from core.db.base import db_now
from core.db.repositories.models import LATEST, ModelRepository
from core.db.session import Database
from core.db.tables import JobRow, ModelRow
from core.ids import DatasetId, JobId, ModelId, TenantId
from core.lifecycle import JobState, Purpose, Stage
from core.prediction_files import PREDICTIONS_SCHEMA, write_predictions
from tests.app.jobs.parts import TEXTS, Json, add_job, finish_stages, store_dataset
from tests.factories import TENANT, make_job, make_model

OTHER = TenantId("other")
NOBODYS = "model_01JZ8Q4ZK3V9W2T5R7X1M6N0PD"


def add_model(database: Database, tenant: TenantId = TENANT) -> ModelId:
    """The next version of `tickets`."""
    with database.write() as session:
        job = make_job(session, state=JobState.SUCCEEDED, tenant_id=tenant)
        make_model(session, job, "4" * 64, tenant=tenant)
        row = ModelRepository(session).by_job(job.id)
        assert row is not None
        return row.id


@pytest.fixture
def model_id(database: Database) -> ModelId:
    return add_model(database)


def queue(client: TestClient, dataset_id: str, **changes: Any) -> Json:
    body = {"model": "tickets", "dataset_id": dataset_id} | changes
    answer = client.post("/predictions", json=body)
    assert answer.status_code == 202, answer.text
    told: Json = answer.json()
    return told


def entry(label: str | None, score: float = 0.75) -> Json:
    scores = [{"label": label or "a", "score": score}, {"label": "b", "score": 1 - score}]
    flags = {"abstained": label is None, "truncated": False, "empty_input": False}
    return {"label": label, "score": score, **flags, "scores": scores}


def finish(
    database: Database, artifacts: ArtifactStore, job_id: str, entries: Sequence[Json]
) -> None:
    """Let the queued job succeed with this file."""
    path = artifacts.scratch_path(".parquet")
    write_predictions(path, [pa.Table.from_pylist(list(entries), PREDICTIONS_SCHEMA)])
    labels = [each["label"] for each in entries]
    output = {
        "predictions": artifacts.put(path),
        "rows": len(entries),
        "counts": {
            "predicted": len(entries) - labels.count(None),
            "abstained": labels.count(None),
            "truncated": 0,
            "empty_input": 0,
            "labels": {name: labels.count(name) for name in ("a", "b")},
        },
        "effort": {"units": len(entries), "seconds": 1.0},
    }
    finish_stages(database, JobId(job_id), {Stage.PREDICT: output})


class TestCreate:
    def test_a_job_of_its_own_is_queued(
        self, client: TestClient, database: Database, dataset_id: DatasetId, model_id: ModelId
    ) -> None:
        body = {"model": "tickets@latest", "dataset_id": dataset_id, "top_k": 1, "threshold": 0.7}
        body |= {"on_low_confidence": "abstain", "metadata": {"team": "cx"}, "priority": 3}
        answer = client.post("/predictions", json=body)
        assert answer.status_code == 202, answer.text
        told = answer.json()
        assert answer.headers["location"] == f"/predictions/{told['id']}"
        assert (told["object"], told["state"], told["counts"]) == ("prediction_job", "queued", None)
        assert (told["model"], told["model_id"]) == ("tickets@latest", model_id)
        assert {name: told[name] for name in body if name != "model"} == {
            name: body[name] for name in body if name != "model"
        }
        assert told["progress"] == {
            "percent": 0.0,
            "eta_seconds": None,
            "rows_done": 0,
            "rows": len(TEXTS),
        }
        with database.read() as session:
            row = session.get(JobRow, told["id"])
        assert row is not None
        assert (row.purpose, row.queue, row.max_wall_seconds) == ("predict", "any", 86_400)
        job = client.get(f"/jobs/{told['id']}").json()
        assert job["purpose"] == "predict"
        # What a job says was asked can be asked again.
        again = client.post("/predictions", json=job["request"])
        assert again.status_code == 202, again.text
        assert again.json()["model_id"] == model_id

    def test_its_model_stays_when_the_alias_moves(
        self, client: TestClient, database: Database, dataset_id: DatasetId, model_id: ModelId
    ) -> None:
        key = {"Idempotency-Key": "k"}
        body = {"model": "tickets", "dataset_id": dataset_id}
        first = client.post("/predictions", json=body, headers=key).json()
        newer = add_model(database)
        again = client.post("/predictions", json=body, headers=key)
        assert again.headers["idempotent-replayed"] == "true"
        assert (again.json()["id"], again.json()["model_id"]) == (first["id"], model_id)
        assert queue(client, dataset_id)["model_id"] == newer
        assert queue(client, dataset_id, model=model_id)["model_id"] == model_id
        other = client.post("/predictions", json=body | {"top_k": 1}, headers=key)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency-mismatch")

    @pytest.mark.parametrize(
        ("changes", "pointer", "code"),
        [
            ({"model": None}, "/model", "string_type"),
            ({"model": "Tickets"}, "/model", "string_pattern_mismatch"),
            ({"model": "tickets\n"}, "/model", "string_pattern_mismatch"),
            ({"model": "tickets@"}, "/model", "string_pattern_mismatch"),
            ({"model": "unheard-of"}, "/model", "not-found"),
            ({"model": "tickets@champion"}, "/model", "not-found"),
            ({"model": NOBODYS}, "/model", "not-found"),
            ({"dataset_id": "ds_1"}, "/dataset_id", "string_pattern_mismatch"),
            ({"dataset_id": "ds_01JZ8PW3N6C4Q0G7H2K5M9R1TB"}, "/dataset_id", "not-found"),
            ({"top_k": 0}, "/top_k", "greater_than_equal"),
            ({"top_k": "3"}, "/top_k", "int_type"),
            ({"threshold": 1.1}, "/threshold", "less_than_equal"),
            ({"on_low_confidence": "teacher"}, "/on_low_confidence", "literal_error"),
            ({"max_wall_seconds": 0}, "/max_wall_seconds", "greater_than_equal"),
            ({"metadata": {"a b": ""}}, "/metadata", "value_error"),
            ({"name": "July backlog"}, "/name", "string_pattern_mismatch"),
            ({"input": ["a"]}, "/input", "extra_forbidden"),
        ],
    )
    def test_a_bad_body_is_refused_at_its_place(
        self,
        client: TestClient,
        dataset_id: DatasetId,
        model_id: ModelId,
        changes: Json,
        pointer: str,
        code: str,
    ) -> None:
        body = {"model": "tickets", "dataset_id": dataset_id} | changes
        answer = client.post("/predictions", json=body)
        assert answer.status_code == 422, answer.text
        [error] = answer.json()["errors"]
        assert (error["pointer"], error["code"]) == (pointer, code)

    def test_more_scores_than_fit_are_refused(
        self,
        client: TestClient,
        dataset_id: DatasetId,
        model_id: ModelId,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(predictions, "MAX_SCORES", len(TEXTS))
        answer = client.post("/predictions", json={"model": "tickets", "dataset_id": dataset_id})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["code"] == "too-many-scores"
        assert queue(client, dataset_id, top_k=1)["top_k"] == 1

    def test_what_was_deleted_is_gone(
        self, client: TestClient, database: Database, dataset_id: DatasetId, model_id: ModelId
    ) -> None:
        with database.write() as session:
            row = session.get(ModelRow, model_id)
            assert row is not None
            row.deleted_at = db_now()
        body = {"model": model_id, "dataset_id": dataset_id}
        answer = client.post("/predictions", json=body)
        assert answer.status_code == 410
        assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/model"]
        add_model(database)
        assert client.delete(f"/datasets/{dataset_id}").status_code == 204
        body["model"] = "tickets"
        answer = client.post("/predictions", json=body)
        assert (answer.status_code, answer.json()["code"]) == (410, "gone")

    def test_nothing_of_another_tenant_is_read(
        self,
        client: TestClient,
        database: Database,
        artifacts: ArtifactStore,
        dataset_id: DatasetId,
    ) -> None:
        foreign = add_model(database, OTHER)
        for model in (foreign, f"tickets@{LATEST}"):
            body = {"model": model, "dataset_id": dataset_id}
            answer = client.post("/predictions", json=body)
            assert answer.json()["errors"][0]["pointer"] == "/model"
        add_model(database)
        elsewhere = store_dataset(database, artifacts, tenant=OTHER)
        answer = client.post("/predictions", json={"model": "tickets", "dataset_id": elsewhere})
        assert answer.json()["errors"][0]["pointer"] == "/dataset_id"

    def test_its_dataset_cannot_be_deleted_meanwhile(
        self, client: TestClient, dataset_id: DatasetId, model_id: ModelId
    ) -> None:
        job = queue(client, dataset_id)
        assert client.delete(f"/datasets/{dataset_id}").status_code == 409
        assert client.post(f"/predictions/{job['id']}/cancel").json()["state"] == "cancelled"
        assert client.delete(f"/datasets/{dataset_id}").status_code == 204

    def test_it_is_nobody_who_makes_a_model_of_its_name(
        self, client: TestClient, dataset_id: DatasetId, model_id: ModelId
    ) -> None:
        queue(client, dataset_id, name="backlog")
        answer = client.post("/predict", json={"model": "backlog", "input": "a"})
        assert answer.status_code == 404


class TestFollow:
    def test_a_running_one_tells_how_far_it_is(
        self, client: TestClient, database: Database, dataset_id: DatasetId, model_id: ModelId
    ) -> None:
        job = queue(client, dataset_id)
        counts = {"predicted": 25, "abstained": 5, "truncated": 1, "empty_input": 0}
        with database.write() as session:
            row = session.get(JobRow, job["id"])
            assert row is not None
            row.state, row.lease_until = JobState.RUNNING, db_now(60)
            row.progress_detail = {
                "percent": 75.0,
                "eta_seconds": 40,
                "rows": 30,
                "counts": counts | {"labels": {"a": 5, "b": 20}},
            }
        answer = client.get(f"/predictions/{job['id']}")
        told = answer.json()
        assert told["progress"] == {
            "percent": 75.0,
            "eta_seconds": 40,
            "rows_done": 30,
            "rows": len(TEXTS),
        }
        shown = [{"label": "b", "rows": 20}, {"label": "a", "rows": 5}]
        assert told["counts"] == counts | {"labels": shown}
        assert answer.headers["retry-after"] == "2"
        tag = {"If-None-Match": answer.headers["etag"]}
        assert client.get(f"/predictions/{job['id']}", headers=tag).status_code == 304

    def test_a_list_holds_no_other_jobs(
        self,
        client: TestClient,
        database: Database,
        artifacts: ArtifactStore,
        dataset_id: DatasetId,
        model_id: ModelId,
    ) -> None:
        one, two = (queue(client, dataset_id)["id"] for _ in range(2))
        add_job(database)
        client.post(f"/predictions/{two}/cancel")
        page = client.get("/predictions", params={"limit": 1}).json()
        assert ([each["id"] for each in page["data"]], page["has_more"]) == ([two], True)
        page = client.get("/predictions", params={"after": two}).json()
        assert ([each["id"] for each in page["data"]], page["has_more"]) == ([one], False)
        queued = client.get("/predictions", params={"state": "queued"}).json()
        assert [each["id"] for each in queued["data"]] == [one]

    def test_other_jobs_and_tenants_have_none(self, client: TestClient, database: Database) -> None:
        spec = {"reference": "tickets", "model_id": NOBODYS, "rows": 3}
        foreign = add_job(database, tenant_id=OTHER, purpose=Purpose.PREDICT.value, spec=spec)
        for job_id in (add_job(database), foreign, "x"):
            for path in ("", "/output"):
                assert client.get(f"/predictions/{job_id}{path}").status_code == 404
            assert client.post(f"/predictions/{job_id}/cancel").status_code == 404

    def test_its_events_are_those_of_a_job(
        self, client: TestClient, dataset_id: DatasetId, model_id: ModelId
    ) -> None:
        job = queue(client, dataset_id)
        client.post(f"/predictions/{job['id']}/cancel")
        told = client.get(f"/jobs/{job['id']}/events").json()["data"]
        assert [event["type"] for event in told] == ["job.queued", "job.cancelled"]

    def test_it_has_nothing_to_compare_or_replay(
        self, client: TestClient, database: Database, dataset_id: DatasetId, model_id: ModelId
    ) -> None:
        job_id = queue(client, dataset_id)["id"]
        ids = f"{job_id},{add_job(database)}"
        assert client.get("/jobs/compare", params={"ids": ids}).status_code == 404
        assert client.post("/jobs", json={"from_job": job_id}).status_code == 409
        for part in ("labels", "report", "audit"):
            assert client.get(f"/jobs/{job_id}/{part}").status_code == 409


class TestOutput:
    ENTRIES = tuple(entry("a" if place % 3 else None) for place in range(len(TEXTS)))

    @pytest.fixture
    def finished(
        self,
        client: TestClient,
        database: Database,
        artifacts: ArtifactStore,
        dataset_id: DatasetId,
        model_id: ModelId,
    ) -> str:
        job_id: str = queue(client, dataset_id)["id"]
        finish(database, artifacts, job_id, self.ENTRIES)
        return job_id

    def expected(self) -> list[Json]:
        return [
            {"index": place, "line": place + 1, "copies": 1, "text": text, **entry}
            for place, (text, entry) in enumerate(zip(TEXTS, self.ENTRIES, strict=True))
        ]

    def test_is_a_line_a_text_by_default(self, client: TestClient, finished: str) -> None:
        answer = client.get(f"/predictions/{finished}/output")
        assert answer.headers["content-type"] == "application/jsonl"
        named = answer.headers["content-disposition"]
        assert named == f'attachment; filename="{finished}.jsonl"'
        assert [orjson.loads(line) for line in answer.text.splitlines()] == self.expected()

    def test_or_parquet(self, client: TestClient, finished: str) -> None:
        answer = client.get(f"/predictions/{finished}/output", params={"format": "parquet"})
        assert pq.read_table(pa.BufferReader(answer.content)).to_pylist() == self.expected()

    def test_or_csv(self, client: TestClient, finished: str) -> None:
        answer = client.get(f"/predictions/{finished}/output", params={"format": "csv"})
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [row["text"] for row in rows] == TEXTS
        assert [row["label"] or None for row in rows] == [each["label"] for each in self.ENTRIES]
        assert [row["abstained"] for row in rows[:2]] == ["True", "False"]
        assert orjson.loads(rows[1]["scores"]) == self.ENTRIES[1]["scores"]

    def test_a_csv_calculates_nothing(
        self,
        client: TestClient,
        database: Database,
        artifacts: ArtifactStore,
        model_id: ModelId,
    ) -> None:
        risky = store_dataset(database, artifacts, texts=["=1+1", "plain"])
        job_id = queue(client, risky)["id"]
        finish(database, artifacts, job_id, [entry("a"), entry("=b")])
        path = f"/predictions/{job_id}/output"
        safe = client.get(path, params={"format": "csv"})
        cells = list(csv.DictReader(io.StringIO(safe.text)))
        assert [(row["text"], row["label"]) for row in cells] == [("'=1+1", "a"), ("plain", "'=b")]
        exact = client.get(path, params={"format": "csv", "safe_csv": "false"})
        assert next(csv.DictReader(io.StringIO(exact.text)))["text"] == "=1+1"

    def test_an_unknown_format_is_refused(self, client: TestClient, finished: str) -> None:
        answer = client.get(f"/predictions/{finished}/output", params={"format": "xlsx"})
        assert answer.status_code == 422

    def test_what_came_of_it_is_counted(self, client: TestClient, finished: str) -> None:
        told = client.get(f"/predictions/{finished}").json()
        abstained = sum(each["label"] is None for each in self.ENTRIES)
        assert told["state"] == "succeeded"
        assert told["progress"]["rows_done"] == len(TEXTS)
        assert told["counts"]["abstained"] == abstained
        assert told["counts"]["predicted"] == len(TEXTS) - abstained
        assert told["counts"]["labels"][1] == {"label": "b", "rows": 0}
        answer = client.post(f"/predictions/{finished}/cancel")
        assert (answer.status_code, answer.json()["code"]) == (409, "job-not-cancellable")

    def test_is_not_there_before_the_end(
        self, client: TestClient, dataset_id: DatasetId, model_id: ModelId
    ) -> None:
        job_id = queue(client, dataset_id)["id"]
        answer = client.get(f"/predictions/{job_id}/output")
        assert (answer.status_code, answer.json()["code"]) == (409, "predictions-not-ready")
        client.post(f"/predictions/{job_id}/cancel")
        answer = client.get(f"/predictions/{job_id}/output")
        assert (answer.status_code, answer.json()["code"]) == (409, "no-result")
        assert "cancelled" in answer.json()["detail"]

    def test_goes_with_its_dataset(
        self, client: TestClient, dataset_id: DatasetId, finished: str
    ) -> None:
        assert client.delete(f"/datasets/{dataset_id}").status_code == 204
        answer = client.get(f"/predictions/{finished}/output")
        assert (answer.status_code, answer.json()["code"]) == (410, "gone")
        assert client.get(f"/predictions/{finished}").json()["state"] == "succeeded"

    def test_a_file_that_is_no_more_is_gone(
        self, client: TestClient, artifacts: ArtifactStore, database: Database, finished: str
    ) -> None:
        for path in artifacts.root.glob("??/*"):
            if pq_columns(path) == PREDICTIONS_SCHEMA.names:
                path.unlink()
        assert client.get(f"/predictions/{finished}/output").status_code == 410


def pq_columns(path: Any) -> list[str]:
    names: list[str] = pq.read_schema(path).names
    return names
