"""GET /models and /models/{name}."""

import pytest
from fastapi.testclient import TestClient

from core.db.base import db_now
from core.db.repositories.models import ModelRepository, NewModel
from core.db.session import Database
from core.db.tables import ModelRow
from core.ids import ModelId, TenantId, new_job_id, new_model_id
from tests.factories import TENANT, make_job


def register(database: Database, *, name: str = "tickets", tenant: TenantId = TENANT) -> ModelId:
    """A model as a job registers it; its files need not exist."""
    with database.write() as session:
        job = make_job(session, tenant_id=tenant, name=name)
        new = NewModel(
            name=name,
            job_id=job.id,
            artifact="6" * 64,
            labels=["billing", "tech"],
            base_model="minilm",
            metrics={"macro_f1": 0.87},
            export={"parity": {"max_difference": 2e-6}},
            size_bytes=91_000_000,
        )
        return ModelRepository(session).register(tenant, new).id


def delete(database: Database, model_id: ModelId) -> None:
    with database.write() as session:
        row = session.get(ModelRow, model_id)
        assert row is not None
        row.deleted_at = db_now()


class TestGetModel:
    def test_it_is_found_by_id_name_and_alias(self, client: TestClient, database: Database) -> None:
        older, newest = register(database), register(database)
        for reference in (newest, "tickets", "tickets@latest"):
            model = client.get(f"/models/{reference}").json()
            assert (model["id"], model["version"]) == (newest, 2), reference
        assert model["aliases"] == ["latest"]
        assert model["labels"] == ["billing", "tech"]
        assert model["export"]["parity"]["max_difference"] == 2e-6
        assert client.get(f"/models/{older}").json()["aliases"] == []

    def test_an_unchanged_model_is_not_sent_again(
        self, client: TestClient, database: Database
    ) -> None:
        model_id = register(database)
        tag = client.get(f"/models/{model_id}").headers["etag"]
        again = client.get(f"/models/{model_id}", headers={"If-None-Match": tag})
        assert again.status_code == 304

    def test_a_deleted_model_is_gone(self, client: TestClient, database: Database) -> None:
        model_id = register(database)
        delete(database, model_id)
        answer = client.get(f"/models/{model_id}")
        assert (answer.status_code, answer.json()["code"]) == (410, "gone")
        assert client.get("/models").json()["data"] == []

    @pytest.mark.parametrize("database", ["sqlite"], indirect=True)
    def test_what_names_no_model_is_not_found(self, client: TestClient) -> None:
        for reference in (
            "nothing",
            "tickets@champion",
            new_model_id(),
            new_job_id(),
            "Tickets",
            "a@b@c",
            "%00",
            "..%2f..%2fetc",
            "x" * 10_000,
        ):
            answer = client.get(f"/models/{reference}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), reference

    def test_another_tenants_model_is_as_unknown_as_none(
        self, client: TestClient, database: Database
    ) -> None:
        foreign = register(database, tenant=TenantId("other"))
        for reference in (foreign, "tickets"):
            answer = client.get(f"/models/{reference}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        assert client.get("/models").json()["data"] == []


class TestListModels:
    def test_pages_go_from_newest_to_oldest(self, client: TestClient, database: Database) -> None:
        made = [register(database, name=f"m{number}") for number in range(3)]
        first = client.get("/models", params={"limit": 2}).json()
        rest = client.get("/models", params={"after": first["last_id"]}).json()
        assert [model["id"] for model in first["data"] + rest["data"]] == made[::-1]
        assert (first["has_more"], rest["has_more"]) == (True, False)
        assert first["data"][0] == client.get(f"/models/{made[2]}").json()

    @pytest.mark.parametrize("database", ["sqlite"], indirect=True)
    def test_a_forged_cursor_is_refused(self, client: TestClient) -> None:
        for cursor in ("x", "model_1", new_job_id()):
            answer = client.get("/models", params={"after": cursor})
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")
