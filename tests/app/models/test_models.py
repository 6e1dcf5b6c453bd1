"""GET /models and /models/{name}."""

import pytest
from fastapi.testclient import TestClient

from core.db.session import Database
from core.ids import TenantId, new_job_id, new_model_id
from tests.app.models.parts import register


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
        assert client.delete(f"/models/{model_id}").status_code == 204
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

    def test_of_one_name_there_are_its_versions(
        self, client: TestClient, database: Database
    ) -> None:
        versions = [register(database) for _ in range(3)]
        register(database, name="mails")
        first = client.get("/models", params={"name": "tickets", "limit": 2}).json()
        rest = client.get("/models", params={"name": "tickets", "after": first["last_id"]}).json()
        assert [model["id"] for model in first["data"] + rest["data"]] == versions[::-1]
        for unknown in ("parcels", "tickets@latest", "%", ""):
            assert client.get("/models", params={"name": unknown}).json()["data"] == [], unknown

    @pytest.mark.parametrize("database", ["sqlite"], indirect=True)
    def test_a_forged_cursor_is_refused(self, client: TestClient) -> None:
        for cursor in ("x", "model_1", new_job_id()):
            answer = client.get("/models", params={"after": cursor})
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")
