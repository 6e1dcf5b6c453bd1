"""One service for a whole file of tests, where the database is not what is tested."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from app.main import create_app
from core.config import Settings
from tests.app.conftest import BASE_URL


@pytest.fixture(scope="module")
def shared_settings(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("service")
    shutil.copyfile(sqlite_template, folder / "llkd.db")
    return Settings(
        _env_file=None,  # type: ignore[call-arg]
        data_dir=folder,
        database_url=SecretStr(f"sqlite:///{folder / 'llkd.db'}"),
        max_upload_bytes=1024 * 1024 * 64,
    )


@pytest.fixture(scope="module")
def shared_client(shared_settings: Settings) -> Iterator[TestClient]:
    """A service on SQLite; whatever a test leaves there must not matter to the next."""
    with TestClient(create_app(shared_settings), base_url=BASE_URL) as client:
        yield client
