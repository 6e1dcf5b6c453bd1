"""POST /teachers and GET /teachers: stored, repeated, read."""

import json

import pytest
from fastapi.testclient import TestClient

from app.teachers.schemas import SETTINGS, TeacherCreate, TeacherPatch
from core.config import Settings
from core.db.session import Database
from core.ids import TenantId, new_job_id, new_teacher_id
from llkd.specs import OpenAITeacher
from tests.app.teachers.parts import CANARY, LIMITS, Json, create, opened, stored, teacher_body
from tests.factories import make_teacher

SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


class TestCreateTeacher:
    def test_it_is_stored_and_told_without_its_key(
        self, client: TestClient, database: Database, settings: Settings
    ) -> None:
        answer = client.post("/teachers", json=teacher_body(**LIMITS))
        teacher = answer.json()
        assert answer.status_code == 201
        assert answer.headers["Location"] == f"/teachers/{teacher['id']}"
        assert teacher == teacher | LIMITS | {
            "object": "teacher",
            "name": "GPT-4o mini",
            "base_url": "https://api.openai.com/v1",
            "model": "gpt-4o-mini",
            "has_key": True,
            "key_last4": "wxyz",
            "last_test": None,
        }
        assert "key" not in teacher
        assert opened(settings, stored(database, teacher)) == CANARY
        assert client.get(answer.headers["Location"]).json() == teacher

    def test_what_is_not_said_is_as_in_a_job(self, client: TestClient, database: Database) -> None:
        teacher = create(client, key=None)
        usual = OpenAITeacher(teacher_id=teacher["id"])
        assert {field: teacher[field] for field in SETTINGS} == {
            field: getattr(usual, field) for field in SETTINGS
        }
        assert (teacher["has_key"], teacher["key_last4"]) == (False, None)
        row = stored(database, teacher)
        # Nothing is inherited by a job that the user has not said.
        assert (row.settings, row.sealed_key) == ({}, None)

    @SQLITE
    def test_the_end_of_a_short_key_is_too_much_of_it(self, client: TestClient) -> None:
        teacher = create(client, key="sk-1234")
        assert (teacher["has_key"], teacher["key_last4"]) == (True, None)

    @SQLITE
    def test_an_address_is_kept_in_one_spelling(self, client: TestClient) -> None:
        teacher = create(client, base_url="HTTPS://API.OpenAI.com:443/v1/")
        assert teacher["base_url"] == "https://api.openai.com/v1"

    @SQLITE
    @pytest.mark.parametrize(
        "url",
        [
            "file:///etc/passwd",
            "gopher://api.openai.com",
            "https://user:pw@api.openai.com/v1",
            "https://api.openai.com/v1?api-version=1",
            "https://api.openai.com/v1#x",
            "https://api.openai.com:0/v1",
            "api.openai.com/v1",
            "https://api.openai.com/\x00v1",
        ],
    )
    def test_what_is_no_base_url_is_refused(self, client: TestClient, url: str) -> None:
        answer = client.post("/teachers", json=teacher_body(base_url=url))
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (422, "invalid-teacher-url")
        assert problem["errors"][0]["pointer"] == "/base_url"

    @SQLITE
    def test_every_server_that_is_not_listed_is_refused_with_one_text(
        self, client: TestClient
    ) -> None:
        told = set()
        for host in (
            "http://127.0.0.1:1",
            "http://2130706433",
            "http://0x7f000001",
            "http://127.1",
            "http://[::ffff:169.254.169.254]",
            "http://[64:ff9b::a9fe:a9fe]",
            "http://[2002:a9fe:a9fe::]",
            "http://100.64.0.1",
            "http://metadata.google.internal",
            "https://example.com",
            "http://api.openai.com",
            "https://api.openai.com:8443",
        ):
            answer = client.post("/teachers", json=teacher_body(base_url=f"{host}/v1"))
            problem = answer.json()
            assert (answer.status_code, problem["code"]) == (422, "teacher-url-forbidden"), host
            told.add(problem["detail"])
        assert len(told) == 1

    @SQLITE
    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"name": " "}, "/name"),
            ({"name": "a\nb"}, "/name"),
            ({"name": "a\x00b"}, "/name"),
            ({"name": "a\ud800"}, "/name"),
            ({"name": "x" * 201}, "/name"),
            ({"model": ""}, "/model"),
            ({"model": " gpt"}, "/model"),
            ({"model": "gpt\x00"}, "/model"),
            ({"base_url": "https://" + "x" * 300}, "/base_url"),
            ({"key": ""}, "/key"),
            ({"key": "short"}, "/key"),
            ({"key": "with space"}, "/key"),
            ({"key": "with\r\nX-Header: a"}, "/key"),
            ({"key": "schlüssel"}, "/key"),
            ({"key": "\ud800" * 8}, "/key"),
            ({"key": "x" * 4097}, "/key"),
            ({"key": 12345678}, "/key"),
            ({"concurrency": 0}, "/concurrency"),
            ({"concurrency": "8"}, "/concurrency"),
            ({"timeout_seconds": 601}, "/timeout_seconds"),
            ({"prices": {"input_usd_per_million": -1}}, "/prices/input_usd_per_million"),
            ({"temperature": 1}, "/temperature"),
        ],
    )
    def test_what_cannot_be_meant_is_refused_at_its_place(
        self, client: TestClient, changes: Json, pointer: str
    ) -> None:
        # Half a surrogate pair travels as an escape, which the client's own encoder refuses.
        body = json.dumps(teacher_body(**changes)).encode()
        headers = {"Content-Type": "application/json"}
        answer = client.post("/teachers", content=body, headers=headers)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (422, "validation-error")
        assert pointer in [item["pointer"] for item in problem["errors"]]

    def test_limits_have_the_ranges_that_a_jobs_teacher_has(self) -> None:
        theirs = OpenAITeacher.model_json_schema()["properties"]
        for ours in (TeacherCreate, TeacherPatch):
            properties = ours.model_json_schema()["properties"]
            for field in SETTINGS:
                assert bounds(properties[field]) == bounds(theirs[field]), field


def bounds(schema: Json) -> Json:
    (told,) = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    kept = {"type", "minimum", "maximum", "$ref"}
    return {name: value for name, value in told.items() if name in kept}


class TestIdempotency:
    def test_the_same_request_again_makes_nothing_new(self, client: TestClient) -> None:
        headers = {"Idempotency-Key": "k"}
        first = client.post("/teachers", json=teacher_body(), headers=headers)
        again = client.post("/teachers", json=teacher_body(), headers=headers)
        assert (again.status_code, again.json()) == (201, first.json())
        assert "Idempotent-Replayed" not in first.headers
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.headers["Location"] == first.headers["Location"]
        assert len(client.get("/teachers").json()["data"]) == 1

    @SQLITE
    @pytest.mark.parametrize("changes", [{"key": CANARY + "x"}, {"key": None}, {"concurrency": 2}])
    def test_another_request_is_refused(self, client: TestClient, changes: Json) -> None:
        headers = {"Idempotency-Key": "k"}
        client.post("/teachers", json=teacher_body(), headers=headers)
        answer = client.post("/teachers", json=teacher_body(**changes), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-mismatch")

    @SQLITE
    def test_one_that_was_deleted_since_is_gone(self, client: TestClient) -> None:
        headers = {"Idempotency-Key": "k"}
        made = client.post("/teachers", json=teacher_body(), headers=headers)
        client.delete(made.headers["Location"])
        answer = client.post("/teachers", json=teacher_body(), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (410, "gone")


class TestReadTeachers:
    def test_pages_go_from_newest_to_oldest(self, client: TestClient) -> None:
        made = [create(client, name=f"teacher {number}") for number in range(3)]
        first = client.get("/teachers", params={"limit": 2}).json()
        rest = client.get("/teachers", params={"after": first["last_id"]}).json()
        assert first["data"] + rest["data"] == made[::-1]
        assert (first["has_more"], rest["has_more"]) == (True, False)

    @SQLITE
    def test_a_forged_cursor_is_refused(self, client: TestClient) -> None:
        for cursor in ("x", "teacher_1", new_job_id()):
            answer = client.get("/teachers", params={"after": cursor})
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")

    @SQLITE
    def test_an_unchanged_teacher_is_not_sent_again(self, client: TestClient) -> None:
        where = f"/teachers/{create(client)['id']}"
        tag = client.get(where).headers["etag"]
        assert client.get(where, headers={"If-None-Match": tag}).status_code == 304
        client.patch(where, json={"name": "new"})
        assert client.get(where, headers={"If-None-Match": tag}).status_code == 200

    @SQLITE
    def test_what_names_no_teacher_is_not_found(self, client: TestClient) -> None:
        for name in ("nothing", new_teacher_id(), new_job_id(), "%00", "..%2f..%2fetc", "x" * 9999):
            for answer in (
                client.get(f"/teachers/{name}"),
                client.patch(f"/teachers/{name}", json={}),
                client.delete(f"/teachers/{name}"),
                client.post(f"/teachers/{name}/test"),
            ):
                assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), name

    def test_another_tenants_teacher_is_as_unknown_as_none(
        self, client: TestClient, database: Database
    ) -> None:
        with database.write() as session:
            foreign = make_teacher(session, tenant_id=TenantId("other")).id
        for answer in (
            client.get(f"/teachers/{foreign}"),
            client.patch(f"/teachers/{foreign}", json={"key": None}),
            client.delete(f"/teachers/{foreign}"),
            client.post(f"/teachers/{foreign}/test"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        assert client.get("/teachers").json()["data"] == []
