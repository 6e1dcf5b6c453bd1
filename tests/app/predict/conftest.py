"""What the predict tests share: a tiny model, and a service that serves it."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from core.artifacts import ArtifactStore
from core.db.session import Database
from core.ids import ModelId
from tests.app.predict.tiny_model import register_model, write_tiny_model


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_model(folder)
    return folder


@pytest.fixture
def artifacts(client: TestClient) -> ArtifactStore:
    found: ArtifactStore = client.app.state.artifacts  # type: ignore[attr-defined]
    return found


@pytest.fixture
def model_id(database: Database, artifacts: ArtifactStore, tiny_folder: Path) -> ModelId:
    return register_model(database, artifacts, tiny_folder)
