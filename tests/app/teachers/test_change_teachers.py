"""PATCH and DELETE /teachers/{id}."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.teachers.schemas import SETTINGS
from core.config import Settings
from core.db.session import Database
from core.db.tables import JobRow
from core.lifecycle import JobState
from tests.app.teachers.parts import CANARY, LIMITS, Json, create, opened, stored
from tests.factories import make_job

SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


class TestPatchTeacher:
    def test_what_is_not_given_stays(
        self, client: TestClient, database: Database, settings: Settings
    ) -> None:
        made = create(client, **LIMITS)
        changed = client.patch(f"/teachers/{made['id']}", json={"concurrency": 2}).json()
        kept = made.keys() - {"concurrency", "updated_at"}
        assert {field: changed[field] for field in kept} == {field: made[field] for field in kept}
        assert changed["concurrency"] == 2
        assert opened(settings, stored(database, made)) == CANARY

    @SQLITE
    def test_null_takes_a_limit_away(self, client: TestClient, database: Database) -> None:
        made = create(client, **LIMITS)
        nothing = dict.fromkeys(SETTINGS)
        changed = client.patch(f"/teachers/{made['id']}", json=nothing).json()
        assert (changed["concurrency"], changed["requests_per_minute"]) == (64, None)
        assert changed["prices"] is None
        assert stored(database, made).settings == {}

    def test_another_key_takes_the_place_of_the_first(
        self, client: TestClient, database: Database, settings: Settings
    ) -> None:
        made = create(client)
        another = "sk-another-0123456789abcdef-4321"
        changed = client.patch(f"/teachers/{made['id']}", json={"key": another}).json()
        assert (changed["has_key"], changed["key_last4"]) == (True, "4321")
        assert opened(settings, stored(database, made)) == another
        without = client.patch(f"/teachers/{made['id']}", json={"key": None}).json()
        assert (without["has_key"], without["key_last4"]) == (False, None)
        assert stored(database, made).sealed_key is None

    @SQLITE
    @pytest.mark.parametrize(
        "change",
        [
            {"base_url": "https://api.openai.com/v2"},
            {"model": "gpt-5"},
            {"name": None},
            {"name": ""},
            {"key": "short"},
            {"id": "teacher_1"},
        ],
    )
    def test_what_belongs_to_the_key_or_makes_no_sense_cannot_be_changed(
        self, client: TestClient, change: Json
    ) -> None:
        made = create(client)
        answer = client.patch(f"/teachers/{made['id']}", json=change)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation-error")
        assert client.get(f"/teachers/{made['id']}").json() == made

    def test_with_another_key_the_jobs_that_wait_for_it_try_again(
        self, client: TestClient, database: Database
    ) -> None:
        made = create(client)
        spec = {"teacher": {"kind": "openai", "teacher_id": made["id"]}}
        with database.write() as session:
            job = make_job(session, spec=spec, parked={"code": "teacher-auth"})
            row = session.get(JobRow, job.id)
            assert row is not None
            row.run_at = later = job.run_at.replace(year=job.run_at.year + 1)
        client.patch(f"/teachers/{made['id']}", json={"name": "new"})
        assert run_at(database, job) == later
        client.patch(f"/teachers/{made['id']}", json={"key": CANARY + "2"})
        assert run_at(database, job) < later

    @SQLITE
    def test_a_deleted_teacher_is_gone(self, client: TestClient) -> None:
        made = create(client)
        client.delete(f"/teachers/{made['id']}")
        answer = client.patch(f"/teachers/{made['id']}", json={"name": "new"})
        assert (answer.status_code, answer.json()["code"]) == (410, "gone")


def run_at(database: Database, job: JobRow) -> Any:
    with database.read() as session:
        row = session.get(JobRow, job.id)
    assert row is not None
    return row.run_at


class TestDeleteTeacher:
    def test_it_is_gone_and_its_key_with_it(self, client: TestClient, database: Database) -> None:
        made = create(client)
        where = f"/teachers/{made['id']}"
        assert client.delete(where).status_code == 204
        for answer in (client.get(where), client.delete(where), client.post(f"{where}/test")):
            assert (answer.status_code, answer.json()["code"]) == (410, "gone")
        assert client.get("/teachers").json()["data"] == []
        assert stored(database, made).sealed_key is None

    def test_a_teacher_that_a_job_asks_stays(self, client: TestClient, database: Database) -> None:
        made = create(client)
        member = {"kind": "openai", "teacher_id": made["id"]}
        with database.write() as session:
            job = make_job(session, spec={"teacher": {"kind": "ensemble", "teachers": [member]}})
        answer = client.delete(f"/teachers/{made['id']}")
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (409, "resource-in-use")
        assert job.id in problem["detail"]
        assert client.get(f"/teachers/{made['id']}").json()["has_key"]

    @SQLITE
    def test_the_end_of_its_job_lets_it_go(self, client: TestClient, database: Database) -> None:
        made = create(client)
        spec = {"teacher": {"kind": "openai", "teacher_id": made["id"]}}
        with database.write() as session:
            make_job(session, state=JobState.SUCCEEDED, spec=spec)
        assert client.delete(f"/teachers/{made['id']}").status_code == 204
