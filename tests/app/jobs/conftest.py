"""What the jobs' tests share: the files of the service under test, and a dataset in them."""

import pytest
from fastapi.testclient import TestClient

from core.artifacts import ArtifactStore
from core.db.session import Database
from core.ids import DatasetId
from tests.app.jobs.parts import store_dataset


@pytest.fixture
def artifacts(client: TestClient) -> ArtifactStore:
    found: ArtifactStore = client.app.state.artifacts  # type: ignore[attr-defined]
    return found


@pytest.fixture
def dataset_id(database: Database, artifacts: ArtifactStore) -> DatasetId:
    """Forty texts without gold and without answers."""
    return store_dataset(database, artifacts)
