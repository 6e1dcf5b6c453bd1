"""DELETE /models/{id}: what is needed stays, and `latest` never points at what is gone."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from core.db.repositories.model_aliases import ModelAliasRepository
from core.db.repositories.storage import stored_bytes
from core.db.session import Database
from core.db.tables import ModelAliasRow, ModelRow
from core.ids import ModelId, TenantId
from core.lifecycle import Purpose
from llkd.specs import PredictionSpec
from tests.app.models.parts import register
from tests.factories import TENANT, make_job

CHAMPION = "/models/tickets/aliases/champion"
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


class TestDeleteModel:
    def test_it_is_gone_for_good(self, client: TestClient, database: Database) -> None:
        model_id, newer = register(database), register(database)
        assert client.delete(f"/models/{model_id}").status_code == 204
        for answer in (
            client.get(f"/models/{model_id}"),
            client.delete(f"/models/{model_id}"),
            client.get(f"/models/{model_id}/export"),
            client.put(CHAMPION, json={"model_id": model_id}),
            client.post(f"/models/{model_id}/predict", json={"input": "a"}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (410, "gone")
        assert client.get("/models/tickets").json()["id"] == newer

    def test_latest_falls_back_to_the_newest_version_left(
        self, client: TestClient, database: Database
    ) -> None:
        first, second, third = (register(database) for _ in range(3))
        client.delete(f"/models/{second}")
        moved_at = client.get("/models/tickets/aliases/latest").json()["moved_at"]
        assert client.get("/models/tickets").json()["id"] == third
        client.delete(f"/models/{third}")
        latest = client.get("/models/tickets/aliases/latest").json()
        assert (latest["model_id"], latest["version"]) == (first, 1)
        assert latest["moved_at"] >= moved_at
        assert register(database) != first
        assert client.get("/models/tickets").json()["version"] == 4

    def test_a_name_without_models_is_gone_until_the_next(
        self, client: TestClient, database: Database
    ) -> None:
        only = register(database)
        client.delete(f"/models/{only}")
        for at in ("/models/tickets", "/models/tickets/aliases", CHAMPION):
            answer = client.get(at)
            assert (answer.status_code, answer.json()["code"]) == (410, "gone"), at
        new = register(database)
        assert client.get("/models/tickets").json()["id"] == new
        assert client.get("/models/tickets/aliases").json()["first_id"] == "latest"

    def test_one_that_an_alias_points_at_is_in_use(
        self, client: TestClient, database: Database
    ) -> None:
        model_id, newer = register(database), register(database)
        client.put(CHAMPION, json={"model_id": model_id})
        answer = client.delete(f"/models/{model_id}")
        assert (answer.status_code, answer.json()["code"]) == (409, "resource-in-use")
        assert "tickets@champion" in answer.json()["detail"]
        client.put(CHAMPION, json={"model_id": newer})
        assert client.delete(f"/models/{model_id}").status_code == 204

    def test_one_that_a_job_predicts_with_is_in_use(
        self, client: TestClient, database: Database
    ) -> None:
        model_id, other = register(database), register(database)
        with database.write() as session:
            asked = PredictionSpec(reference="tickets", model_id=model_id, rows=3)
            spec = asked.model_dump(mode="json")
            job_id = make_job(session, purpose=Purpose.PREDICT.value, spec=spec).id
        answer = client.delete(f"/models/{model_id}")
        assert (answer.status_code, answer.json()["code"]) == (409, "resource-in-use")
        assert job_id in answer.json()["detail"]
        assert client.delete(f"/models/{other}").status_code == 204
        assert client.post(f"/jobs/{job_id}/cancel").status_code == 200
        assert client.delete(f"/models/{model_id}").status_code == 204

    def test_who_deletes_it_waits_for_a_job_that_is_being_queued(
        self, client: TestClient, database: Database
    ) -> None:
        model_id = register(database)
        with ThreadPoolExecutor(1) as threads:
            with database.write() as session:
                ModelAliasRepository(session).hold(TENANT, "tickets")
                deletion = threads.submit(client.delete, f"/models/{model_id}")
                make_job(session, purpose=Purpose.PREDICT.value, spec={"model_id": model_id})
                with pytest.raises(TimeoutError):
                    deletion.result(timeout=0.5)
            assert deletion.result(timeout=20).status_code == 409

    @on_sqlite
    def test_it_is_named_by_its_id_alone(self, client: TestClient, database: Database) -> None:
        model_id = register(database)
        for reference in ("tickets", "tickets@latest"):
            answer = client.delete(f"/models/{reference}")
            assert (answer.status_code, answer.json()["code"]) == (422, "validation-error")
            assert answer.json()["errors"][0]["code"] == "id-required"
            assert model_id in answer.json()["detail"]
        assert client.get("/models/tickets").status_code == 200

    @on_sqlite
    def test_what_has_changed_since_it_was_read_stays(
        self, client: TestClient, database: Database
    ) -> None:
        model_id = register(database)
        seen = {"If-Match": client.get(f"/models/{model_id}").headers["etag"]}
        register(database)
        answer = client.delete(f"/models/{model_id}", headers=seen)
        assert (answer.status_code, answer.json()["code"]) == (412, "precondition-failed")
        seen = {"If-Match": client.get(f"/models/{model_id}").headers["etag"]}
        assert client.delete(f"/models/{model_id}", headers=seen).status_code == 204

    @on_sqlite
    def test_another_tenants_is_not_found_and_stays(
        self, client: TestClient, database: Database
    ) -> None:
        foreign = register(database, tenant=TenantId("other"))
        answer = client.delete(f"/models/{foreign}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        with database.read() as session:
            assert session.scalars(select(ModelRow.deleted_at)).all() == [None]

    @on_sqlite
    def test_its_bytes_no_longer_count(self, client: TestClient, database: Database) -> None:
        with database.read() as session:
            before = stored_bytes(session, TENANT)
        model_id = register(database)
        client.delete(f"/models/{model_id}")
        with database.read() as session:
            # The dataset of the job that made it is left.
            assert stored_bytes(session, TENANT) - before == 100


class TestAtOnce:
    def test_deletes_moves_and_new_versions_leave_no_alias_at_a_deleted_model(
        self, client: TestClient, database: Database
    ) -> None:
        for _ in range(4):
            models = [register(database) for _ in range(4)]
            client.put(CHAMPION, json={"model_id": models[0]})
            gate = Barrier(9)

            def delete(model_id: ModelId, gate: Barrier = gate) -> int:
                gate.wait(timeout=10)
                return client.delete(f"/models/{model_id}").status_code

            def move(model_id: ModelId, gate: Barrier = gate) -> int:
                gate.wait(timeout=10)
                return client.put(CHAMPION, json={"model_id": model_id}).status_code

            def make(gate: Barrier = gate) -> ModelId:
                gate.wait(timeout=10)
                return register(database)

            with ThreadPoolExecutor(9) as threads:
                deletes = [threads.submit(delete, each) for each in models]
                moves = [threads.submit(move, each) for each in models]
                made = threads.submit(make)
            assert {each.result() for each in deletes} <= {204, 409}
            assert {each.result() for each in moves} <= {200, 410}
            with database.read() as session:
                living = set(
                    session.scalars(select(ModelRow.id).where(ModelRow.deleted_at.is_(None)))
                )
                pointed = {
                    row.alias: row.model_id for row in session.scalars(select(ModelAliasRow))
                }
            assert set(pointed.values()) <= living
            assert pointed["latest"] == made.result()
