"""PUT, GET and DELETE /models/{name}/deferral."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from app.main import create_app
from core.config import Settings
from core.db.repositories.deferrals import DeferralRepository
from core.db.session import Database
from core.db.tables import ModelRow
from core.ids import ModelId, TenantId
from tests.app.conftest import BASE_URL
from tests.app.predict.deferral.parts import LABELS, MODEL, add_model, job_of
from tests.factories import TENANT

Json = dict[str, Any]
URL = "http://127.0.0.1:9/v1"
FREE = {"input_usd_per_million": 0.0, "output_usd_per_million": 0.0}
OTHER_KEY = "o" * 32
NOBODYS = "model_01JZ8Q4ZK3V9W2T5R7X1M6N0PD"


@pytest.fixture
def settings(database: Database, tmp_path: Path) -> Settings:
    return Settings(
        _env_file=None,  # type: ignore[call-arg] # a developer's own must not decide
        data_dir=tmp_path / "var",
        database_url=SecretStr(database.url.render_as_string(hide_password=False)),
        teacher_hosts=("http://127.0.0.1:9",),
    )


@pytest.fixture
def stranger(settings: Settings) -> Iterator[TestClient]:
    """Another tenant of the same service."""
    keyed = settings.model_copy(update={"api_keys": (SecretStr(f"other:{OTHER_KEY}"),)})
    headers = {"Authorization": f"Bearer {OTHER_KEY}"}
    with TestClient(create_app(keyed), base_url=BASE_URL, headers=headers) as client:
        yield client


@pytest.fixture
def model(database: Database) -> ModelId:
    return add_model(database, URL)


def put(client: TestClient, name: str, **body: Any) -> Any:
    return client.put(f"/models/{name}/deferral", json=body)


class TestPut:
    def test_switches_it_on_and_tells_of_it(
        self, client: TestClient, database: Database, model: ModelId
    ) -> None:
        answer = put(client, model, max_usd=1.5, max_teacher_calls=100)
        assert answer.status_code == 200
        told = answer.json()
        assert told.pop("created_at").endswith("Z")
        assert told.pop("updated_at").endswith("Z")
        assert told == {
            "object": "model_deferral",
            "model_id": model,
            "job_id": job_of(database, model),
            "teacher_id": None,
            "base_url": URL,
            "teacher_model": MODEL,
            "max_usd": 1.5,
            "max_teacher_calls": 100,
            "spent_usd": 0.0,
            "teacher_calls": 0,
            "held_usd": 0.0,
            "held_calls": 0,
        }

    @pytest.mark.parametrize("name", ["tickets", "tickets@latest"])
    def test_takes_the_model_that_a_name_means_now(
        self, client: TestClient, database: Database, model: ModelId, name: str
    ) -> None:
        assert put(client, name, max_usd=1).json()["model_id"] == model
        newer = add_model(database, URL)
        assert client.get(f"/models/{name}/deferral").status_code == 404
        assert put(client, name, max_usd=1).json()["model_id"] == newer

    def test_new_caps_replace_the_old_and_keep_what_is_spent(
        self, client: TestClient, database: Database, model: ModelId
    ) -> None:
        put(client, model, max_usd=1, max_teacher_calls=7)
        with database.write() as session:
            deferrals = DeferralRepository(session)
            paid = deferrals.hold(TENANT, model, micros=400_000, seconds=60)
            assert paid is not None
            assert deferrals.settle(paid, micros=250_000)
            assert deferrals.hold(TENANT, model, micros=100_000, seconds=60)
        told = put(client, model, max_usd=2).json()
        assert (told["max_usd"], told["max_teacher_calls"]) == (2.0, None)
        assert (told["spent_usd"], told["teacher_calls"]) == (0.25, 1)
        assert (told["held_usd"], told["held_calls"]) == (0.1, 1)

    @pytest.mark.parametrize(
        ("prices", "body", "code", "pointer"),
        [
            ("known", {}, "budget-required", ""),
            ("known", {"max_usd": None, "max_teacher_calls": None}, "budget-required", ""),
            ("unknown", {}, "budget-required", "/max_teacher_calls"),
            ("unknown", {"max_usd": 1}, "price-unknown", "/max_usd"),
            ("unknown", {"max_usd": 1, "max_teacher_calls": 1}, "price-unknown", "/max_usd"),
        ],
    )
    def test_caps_that_could_not_be_kept_are_refused(
        self,
        client: TestClient,
        database: Database,
        prices: str,
        body: Json,
        code: str,
        pointer: str,
    ) -> None:
        given: Json = {} if prices == "known" else {"prices": None}
        answer = put(client, add_model(database, URL, **given), **body)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert [item["pointer"] for item in answer.json()["errors"]] == [pointer]

    def test_a_free_teacher_needs_no_cap(self, client: TestClient, database: Database) -> None:
        assert put(client, add_model(database, URL, prices=FREE)).status_code == 200

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"max_usd": 0}, "budget-required"),
            ({"max_usd": -1}, "budget-required"),
            ({"max_usd": 1e-9}, "budget-required"),
            ({"max_usd": 1e7}, "validation-error"),
            ({"max_usd": "5"}, "validation-error"),
            ({"max_usd": True}, "validation-error"),
            ({"max_teacher_calls": 0}, "validation-error"),
            ({"max_teacher_calls": 1.5}, "validation-error"),
            ({"max_teacher_calls": 2**53 + 1}, "validation-error"),
            ({"max_usd": 1, "spent_usd": 0}, "validation-error"),
            ([], "validation-error"),
        ],
    )
    def test_what_is_no_cap_is_refused(
        self, client: TestClient, model: ModelId, body: Any, code: str
    ) -> None:
        answer = client.put(f"/models/{model}/deferral", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert client.get(f"/models/{model}/deferral").status_code == 404

    @pytest.mark.parametrize("body", [b"", b"{", b'{"max_usd": NaN}', b'{"a":1,"a":1}'])
    def test_what_is_no_json_is_refused(
        self, client: TestClient, model: ModelId, body: bytes
    ) -> None:
        headers = {"Content-Type": "application/json"}
        answer = client.put(f"/models/{model}/deferral", content=body, headers=headers)
        assert answer.status_code == 400

    def test_a_teacher_of_another_kind_is_refused(
        self, client: TestClient, database: Database
    ) -> None:
        spec = {"labels": [{"name": name} for name in LABELS], "teacher": {"kind": "few_shot"}}
        answer = put(client, add_model(database, URL, spec=spec), max_usd=1)
        assert (answer.status_code, answer.json()["code"]) == (422, "teacher-not-askable")
        assert "few_shot" in answer.json()["detail"]
        assert '"abstain"' not in answer.json()["detail"]
        # The body has no field that could be another one.
        assert [item["pointer"] for item in answer.json()["errors"]] == [""]
        assert client.get("/problems/teacher-not-askable").status_code == 200

    def test_a_server_that_is_not_listed_is_refused(
        self, client: TestClient, database: Database
    ) -> None:
        answer = put(client, add_model(database, "http://10.0.0.1/v1"), max_usd=1)
        assert (answer.status_code, answer.json()["code"]) == (422, "teacher-url-forbidden")


class TestGetAndDelete:
    def test_what_is_switched_off_is_not_found(self, client: TestClient, model: ModelId) -> None:
        assert client.get(f"/models/{model}/deferral").status_code == 404
        assert client.delete(f"/models/{model}/deferral").status_code == 404

    def test_switching_off_forgets_what_was_spent(
        self, client: TestClient, database: Database, model: ModelId
    ) -> None:
        put(client, model, max_usd=1)
        with database.write() as session:
            assert DeferralRepository(session).hold(TENANT, model, micros=9, seconds=60)
        assert client.get(f"/models/{model}/deferral").json()["held_calls"] == 1
        answer = client.delete(f"/models/{model}/deferral")
        assert (answer.status_code, answer.content) == (204, b"")
        assert client.get(f"/models/{model}/deferral").status_code == 404
        assert put(client, model, max_usd=1).json()["held_calls"] == 0


class TestNames:
    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    @pytest.mark.parametrize(
        "name", [NOBODYS, "unknown", "tickets@none", "%00", "..%2fmodels", "A" * 5000]
    )
    def test_that_mean_nothing_are_not_found(
        self, client: TestClient, method: str, name: str
    ) -> None:
        body: Json = {"json": {"max_usd": 1}} if method == "PUT" else {}
        assert client.request(method, f"/models/{name}/deferral", **body).status_code == 404

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    def test_of_another_tenant_mean_nothing(
        self,
        client: TestClient,
        stranger: TestClient,
        database: Database,
        model: ModelId,
        method: str,
    ) -> None:
        put(client, model, max_usd=1)
        body: Json = {"json": {"max_usd": 9}} if method == "PUT" else {}
        for name in (model, "tickets"):
            answer = stranger.request(method, f"/models/{name}/deferral", **body)
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        with database.read() as session:
            row = DeferralRepository(session).get(TENANT, model)
            assert row is not None
            assert row.cap_micros == 1_000_000
            assert DeferralRepository(session).get(TenantId("other"), model) is None

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    def test_of_a_deleted_model_say_so(
        self, client: TestClient, database: Database, model: ModelId, method: str
    ) -> None:
        with database.write() as session:
            row = session.get(ModelRow, model)
            assert row is not None
            row.deleted_at = datetime.now(UTC)
        body: Json = {"json": {"max_usd": 1}} if method == "PUT" else {}
        answer = client.request(method, f"/models/{model}/deferral", **body)
        assert (answer.status_code, answer.json()["code"]) == (410, "gone")

    def test_a_stranger_without_a_key_is_turned_away(self, settings: Settings) -> None:
        keyed = settings.model_copy(update={"api_keys": (SecretStr(f"other:{OTHER_KEY}"),)})
        with TestClient(create_app(keyed), base_url=BASE_URL) as nobody:
            assert put(nobody, "tickets", max_usd=1).status_code == 401
