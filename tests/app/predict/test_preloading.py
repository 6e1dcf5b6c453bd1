"""Models named by the operator are in memory before the service says it is ready."""

import time
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.predict import preloading
from core.artifacts import ArtifactStore
from core.config import Settings
from core.db.session import Database
from core.ids import TenantId
from tests.app.conftest import BASE_URL
from tests.app.predict.tiny_model import register_model

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@on_sqlite
class TestPreload:
    def test_it_is_ready_when_the_models_are(
        self,
        settings: Settings,
        database: Database,
        tiny_folder: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        artifacts = ArtifactStore(settings.data_dir / "artifacts")
        model = register_model(database, artifacts, tiny_folder)
        other = register_model(database, artifacts, tiny_folder, tenant=TenantId("acme"))
        hold = Event()
        load = preloading.Preloading._load

        def slowly(self: preloading.Preloading, name: str) -> None:
            assert hold.wait(30)
            load(self, name)

        monkeypatch.setattr(preloading.Preloading, "_load", slowly)
        named = settings.model_copy(
            update={"predict_preload": ("nothing", "tickets@latest", "acme:tickets")}
        )
        app: Any = create_app(named)
        with TestClient(app, base_url=BASE_URL) as client:
            early = client.get("/readyz")
            assert (early.status_code, early.json()["code"]) == (503, "unavailable")
            assert client.get("/healthz").status_code == 200
            hold.set()
            _until_ready(client)
            registry = app.state.serving.registry
            for tenant, expected in (("default", model), ("acme", other)):
                known = registry.names.remembered(TenantId(tenant), "tickets") or (
                    registry.names.ask(TenantId(tenant), "tickets")
                )
                assert known.id == expected
                assert registry.is_loaded(known)

    def test_without_names_it_is_ready_at_once(self, client: TestClient) -> None:
        assert client.get("/readyz").status_code == 200


def _until_ready(client: TestClient) -> None:
    deadline = time.monotonic() + 30
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.01)
