"""What a client can send to /jobs, and what it gets: one line a case."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from core.db.session import Database
from core.ids import DatasetId, TenantId, new_dataset_id, new_job_id
from tests.app.jobs.parts import add_job, job_body

STUDENTS = {"candidates": [{"kind": "static"}, {"kind": "encoder"}]}
HUB = {"model": "owner/name", "revision": "0" * 40}
AS_JSON = {"Content-Type": "application/json"}

# (what the body changes, code, pointer of the first fault)
BODIES: list[tuple[dict[str, Any], str, str]] = [
    ({"epoch": 3}, "validation-error", "/epoch"),
    ({"training": {"epochs": "3"}}, "validation-error", "/training/epochs"),
    ({"training": {"epochs": True}}, "validation-error", "/training/epochs"),
    ({"training": {"epochs": 0}}, "validation-error", "/training/epochs"),
    ({"training": {"learning_rate": -0.0}}, "validation-error", "/training/learning_rate"),
    ({"training": {"learning_rate": 0}}, "validation-error", "/training/learning_rate"),
    ({"training": {"learning_rate": -1}}, "validation-error", "/training/learning_rate"),
    ({"training": {"batch_size": 10**9}}, "validation-error", "/training/batch_size"),
    ({"training": {"seed": 2**64}}, "validation-error", "/training/seed"),
    ({"training": {"device": "tpu"}}, "validation-error", "/training/device"),
    ({"student": {"max_length": 10**6}}, "validation-error", "/student/max_length"),
    ({"student": {"max_lenght": 8}}, "validation-error", "/student/max_lenght"),
    ({"labels": []}, "validation-error", "/labels"),
    ({"labels": [{"name": "a"}]}, "validation-error", "/labels"),
    ({"labels": [{"name": f"l{n}"} for n in range(1001)]}, "validation-error", "/labels"),
    ({"labels": ["a", "b"]}, "validation-error", "/labels/0"),
    ({"labels": [{"name": "Tech"}, {"name": "\uff34ech"}]}, "duplicate-label", "/labels"),
    ({"labels": [{"name": "a\nb"}, {"name": "b"}]}, "validation-error", "/labels/0/name"),
    ({"labels": [{"name": "a\u202eb"}, {"name": "b"}]}, "validation-error", "/labels/0/name"),
    ({"labels": [{"name": " a"}, {"name": "b"}]}, "validation-error", "/labels/0/name"),
    ({"labels": [{"name": "x" * 101}, {"name": "b"}]}, "validation-error", "/labels/0/name"),
    ({"labels": [{"name": "a"}, {"name": ""}]}, "validation-error", "/labels/1/name"),
    ({"instruction": "a\0b"}, "validation-error", "/instruction"),
    (
        {"labels": [{"name": "a", "examples": ["x", "\0"]}, {"name": "b"}]},
        "validation-error",
        "/labels/0/examples/1",
    ),
    (
        {"teacher": {"kind": "zero_shot", "hypothesis": "{}\0"}},
        "validation-error",
        "/teacher/hypothesis",
    ),
    ({"instruction": None}, "validation-error", "/instruction"),
    ({"teacher": {"kind": "oracle"}}, "validation-error", "/teacher"),
    ({"teacher": {}}, "validation-error", "/teacher"),
    ({"teacher": {"kind": "few_shot", "api_key": "s"}}, "validation-error", "/teacher/api_key"),
    ({"teacher": {"kind": "few_shot", "model": 3}}, "validation-error", "/teacher/model"),
    ({"selection": {"kind": "random", "share": 0}}, "validation-error", "/selection/share"),
    ({"selection": {"kind": "llkd", "momentum": 1}}, "validation-error", "/selection/momentum"),
    ({"student": {"model": "../x"}}, "model-not-allowed", "/student/model"),
    ({"student": {"model": "/etc/passwd"}}, "model-not-allowed", "/student/model"),
    ({"student": {"model": "hf://x/y"}}, "model-not-allowed", "/student/model"),
    ({"student": {"model": "a/b/c"}}, "model-not-allowed", "/student/model"),
    ({"student": {"model": "local/../x"}}, "model-not-allowed", "/student/model"),
    ({"student": {"model": "local/x"}}, "model-not-allowed", "/student/model"),
    ({"student": {"model": "owner/name"}}, "model-not-allowed", "/student/model"),
    ({"student": {"model": "x\0y/z"}}, "model-not-allowed", "/student/model"),
    ({"student": HUB | {"revision": "main"}}, "validation-error", "/student/revision"),
    ({"student": {"model": "minilm", "revision": "0" * 40}}, "model-not-allowed", "/student/model"),
    ({"student": {"kind": "oracle"}}, "validation-error", "/student"),
    ({"student": "minilm"}, "validation-error", "/student"),
    ({"student": {"kind": "static", "trainable": "all"}}, "validation-error", "/student/trainable"),
    ({"student": {"candidates": [{}]}}, "validation-error", "/student/candidates"),
    ({"student": {"candidates": [{}, {}]}}, "validation-error", "/student/candidates"),
    (
        {"student": {"candidates": [{}, {"kind": "static", "max_length": 1}]}},
        "validation-error",
        "/student/candidates/1/max_length",
    ),
    (
        {"student": {"candidates": [{}, {"model": "local/../x"}]}},
        "model-not-allowed",
        "/student/candidates/1/model",
    ),
    (
        {"student": STUDENTS | {"target": {"p95_ms": 5, "device": "gpu"}}},
        "validation-error",
        "/student/target/device",
    ),
    (
        {"student": STUDENTS | {"target": {"p95_ms": 0}}},
        "validation-error",
        "/student/target/p95_ms",
    ),
    ({"teacher": {"kind": "few_shot", "model": ".."}}, "model-not-allowed", "/teacher/model"),
    ({"teacher": {"kind": "huggingface"}}, "validation-error", "/teacher/model"),
    (
        {"teacher": {"kind": "huggingface", "model": "minilm"}},
        "validation-error",
        "/teacher/model",
    ),
    (
        {"teacher": {"kind": "huggingface", "model": "owner/name"}},
        "model-not-allowed",
        "/teacher/model",
    ),
    (
        {"teacher": {"kind": "huggingface", "model": "local/../x"}},
        "model-not-allowed",
        "/teacher/model",
    ),
    (
        {"teacher": {"kind": "huggingface", "precision": "int4", **HUB}},
        "validation-error",
        "/teacher/precision",
    ),
    (
        {"teacher": {"kind": "huggingface", "trust_remote_code": True, **HUB}},
        "validation-error",
        "/teacher/trust_remote_code",
    ),
    ({"name": "Tickets"}, "validation-error", "/name"),
    ({"name": "a/b"}, "validation-error", "/name"),
    ({"name": "a\n"}, "validation-error", "/name"),
    ({"name": "x" * 65}, "validation-error", "/name"),
    ({"dataset_id": "ds_1"}, "validation-error", "/dataset_id"),
    ({"dataset_id": "ds_../../etc"}, "validation-error", "/dataset_id"),
    ({"dataset_id": None}, "validation-error", "/dataset_id"),
    ({"dataset_id": new_job_id()}, "validation-error", "/dataset_id"),
    ({"evaluation": {"dataset_id": "x"}}, "validation-error", "/evaluation/dataset_id"),
    (
        {"evaluation": {"dataset_id": new_dataset_id()}},
        "validation-error",
        "/evaluation/dataset_id",
    ),
    ({"budget": {"max_usd": 0}}, "budget-required", "/budget/max_usd"),
    ({"budget": {"max_usd": -1}}, "budget-required", "/budget/max_usd"),
    ({"budget": {"max_usd": 1e-9}}, "budget-required", "/budget/max_usd"),
    ({"budget": {"max_usd": 1e9}}, "validation-error", "/budget/max_usd"),
    ({"budget": {"max_teacher_calls": 0}}, "validation-error", "/budget/max_teacher_calls"),
    ({"budget": {"max_wall_seconds": 0}}, "validation-error", "/budget/max_wall_seconds"),
    ({"metadata": {"a": 1}}, "validation-error", "/metadata/a"),
    ({"metadata": {"a": "\0"}}, "validation-error", "/metadata"),
    ({"metadata": {"a]b": "c"}}, "validation-error", "/metadata"),
    ({"metadata": {f"k{n}": "v" for n in range(17)}}, "validation-error", "/metadata"),
    ({"metadata": {"a": "x" * 501}}, "validation-error", "/metadata/a"),
    ({"priority": 101}, "validation-error", "/priority"),
    ({"priority": 2**80}, "validation-error", "/priority"),
]

# (body as bytes, status, code)
RAW: list[tuple[bytes, int, str]] = [
    (b"", 400, "malformed-json"),
    (b'{"labels": [],}', 400, "malformed-json"),
    (b"[" * 100_000, 400, "json-too-deep"),
    (b'{"training": {"learning_rate": NaN}}', 400, "malformed-json"),
    (b'{"training": {"learning_rate": -Infinity}}', 400, "malformed-json"),
    (b'{"priority": ' + b"9" * 5000 + b"}", 400, "malformed-json"),
    (b'{"name": "a", "name": "b"}', 400, "duplicate-key"),
    ('{"name": "é"}'.encode("latin-1"), 400, "invalid-encoding"),
    ('{"name": "a"}'.encode("utf-16"), 400, "invalid-encoding"),
    (b"[]", 422, "validation-error"),
    (b"null", 422, "validation-error"),
    (b'"text"', 422, "validation-error"),
    (b'{"training": {"learning_rate": 1e999}}', 422, "validation-error"),
    (b'{"name": "\\ud800"}', 422, "validation-error"),
    (b'{"metadata": {"\\ud800": "a"}}', 422, "validation-error"),
    (b" " * (1024 * 1024 + 1), 413, "body-too-large"),
]

# (query, status, code)
QUERIES: list[tuple[str, int, str]] = [
    ("limit=0", 422, "validation-error"),
    ("limit=-1", 422, "validation-error"),
    ("limit=1e9", 422, "validation-error"),
    ("limit=101", 422, "validation-error"),
    ("limit=abc", 422, "validation-error"),
    ("after=job_1", 400, "invalid-cursor"),
    ("after=%00", 400, "invalid-cursor"),
    ("after=" + "x" * 81, 422, "validation-error"),
    (f"after={new_dataset_id()}", 400, "invalid-cursor"),
    ("state=lost", 422, "validation-error"),
    ("dataset_id=%00", 422, "validation-error"),
    ("sort=id;DROP%20TABLE%20jobs", 422, "validation-error"),
    ("metadata[a%5D]=1", 422, "validation-error"),
    ("metadata=1", 422, "validation-error"),
    ("metadata[a]=%00", 422, "validation-error"),
    ("metadata[a]=1&metadata[a]=2", 422, "validation-error"),
]

HEADERS: list[tuple[dict[str, str], int, str]] = [
    ({"Content-Type": "text/plain"}, 415, "unsupported-media-type"),
    ({"Content-Type": ""}, 415, "unsupported-media-type"),
    (AS_JSON | {"Content-Encoding": "gzip"}, 415, "unsupported-encoding"),
    (AS_JSON | {"Accept": "text/xml"}, 406, "not-acceptable"),
    (AS_JSON | {"Host": "a@b"}, 400, "invalid-host"),
]

IDS = [
    "x",
    "job_",
    "job_0",
    "job_" + "0" * 25 + "I",
    "job_..%2f..%2fetc",
    "job_%00",
    "..%5c",
    "%2e%2e%2f",
    "j" * 10_000,
    str(new_dataset_id()),
    str(new_job_id()),
]

ON_A_JOB = [
    ("GET", ""),
    ("POST", "/cancel"),
    ("GET", "/events"),
    ("GET", "/labels"),
    ("GET", "/labels?format=csv"),
    ("GET", "/report"),
]

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


class TestBodies:
    """The database is not reached by most of these, so both kinds would prove the same."""

    @on_sqlite
    @pytest.mark.parametrize("path", ["/jobs", "/jobs/estimate"])
    def test_each_fault_has_its_code_and_place(
        self, client: TestClient, dataset_id: DatasetId, path: str
    ) -> None:
        for changes, code, pointer in BODIES:
            answer = client.post(path, json=job_body(dataset_id) | changes)
            problem = answer.json()
            told = (answer.status_code, problem["code"], problem["errors"][0]["pointer"])
            assert told == (422, code, pointer), changes
            assert answer.headers["content-type"] == "application/problem+json"
        assert client.get("/jobs").json()["data"] == []

    @on_sqlite
    @pytest.mark.parametrize("path", ["/jobs", "/jobs/estimate"])
    def test_what_is_no_json_object_is_refused(self, client: TestClient, path: str) -> None:
        for body, status, code in RAW:
            answer = client.post(path, content=body, headers=AS_JSON)
            assert (answer.status_code, answer.json()["code"]) == (status, code), body[:60]

    @on_sqlite
    def test_required_fields_are_named(self, client: TestClient) -> None:
        answer = client.post("/jobs", json={})
        pointers = {error["pointer"] for error in answer.json()["errors"]}
        assert pointers == {"/dataset_id", "/labels", "/teacher"}

    @on_sqlite
    def test_a_bad_label_does_not_make_its_list_too_short(
        self, client: TestClient, dataset_id: DatasetId
    ) -> None:
        labels = [{"name": "billing"}, {"name": 3}]
        answer = client.post("/jobs", json=job_body(dataset_id) | {"labels": labels})
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/labels/1/name"]

    @on_sqlite
    def test_headers_that_do_not_fit_are_refused(
        self, client: TestClient, dataset_id: DatasetId
    ) -> None:
        for headers, status, code in HEADERS:
            body = json.dumps(job_body(dataset_id)).encode()
            answer = client.post("/jobs", content=body, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (status, code), headers

    @on_sqlite
    def test_only_models_of_the_operators_list_are_taken(
        self, client: TestClient, dataset_id: DatasetId
    ) -> None:
        settings = client.app.state.settings  # type: ignore[attr-defined]
        listed = settings.model_copy(update={"allowed_models": ("owner/name", "minilm")})
        client.app.state.settings = listed  # type: ignore[attr-defined]
        taken = client.post("/jobs", json=job_body(dataset_id, student=HUB))
        refused = client.post(
            "/jobs", json=job_body(dataset_id, student=HUB | {"model": "owner/other"})
        )
        assert taken.status_code == 202
        assert (refused.status_code, refused.json()["code"]) == (422, "model-not-allowed")

    @on_sqlite
    def test_every_code_has_a_page(self, client: TestClient) -> None:
        codes = {code for _, code, _ in BODIES} | {code for _, _, code in RAW + QUERIES + HEADERS}
        codes |= {"resource-limit", "too-many-jobs", "labels-not-ready", "report-not-ready"}
        codes |= {"job-not-cancellable", "idempotency-mismatch", "invalid-idempotency-key"}
        for code in codes:
            assert client.get(f"/problems/{code}").status_code == 200, code


class TestQueries:
    def test_each_fault_has_its_code(self, client: TestClient) -> None:
        for query, status, code in QUERIES:
            answer = client.get(f"/jobs?{query}")
            assert (answer.status_code, answer.json()["code"]) == (status, code), query


class TestIds:
    @pytest.mark.parametrize(("method", "path"), ON_A_JOB)
    def test_what_names_no_job_is_not_found(
        self, client: TestClient, method: str, path: str
    ) -> None:
        for job_id in IDS:
            answer = client.request(method, f"/jobs/{job_id}{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), job_id[:60]

    @pytest.mark.parametrize(("method", "path"), ON_A_JOB)
    def test_another_tenants_job_is_as_unknown_as_none(
        self, client: TestClient, database: Database, method: str, path: str
    ) -> None:
        foreign = add_job(database, tenant_id=TenantId("other"), events=2)
        theirs = client.request(method, f"/jobs/{foreign}{path}")
        nobodys = client.request(method, f"/jobs/{new_job_id()}{path}")
        assert theirs.status_code == nobodys.status_code == 404
        assert theirs.json()["code"] == nobodys.json()["code"] == "not-found"

    @on_sqlite
    def test_the_stream_of_another_tenants_job_is_not_found(
        self, client: TestClient, database: Database
    ) -> None:
        foreign = add_job(database, tenant_id=TenantId("other"), events=2)
        answer = client.get(f"/jobs/{foreign}/events", headers={"Accept": "text/event-stream"})
        assert answer.status_code == 404

    @on_sqlite
    def test_a_method_that_is_not_served_lists_those_that_are(self, client: TestClient) -> None:
        answer = client.delete(f"/jobs/{new_job_id()}")
        assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
        assert "GET" in answer.headers["allow"]
