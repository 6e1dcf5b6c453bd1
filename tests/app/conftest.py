"""A client of the whole application, on SQLite and on PostgreSQL, in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from app.main import create_app
from core.config import Settings
from core.db.session import Database

# The service answers only to hosts it knows; TestClient's own name is none of them.
BASE_URL = "http://127.0.0.1:8000"


@pytest.fixture
def settings(database: Database, tmp_path: Path) -> Settings:
    """Settings of a service whose database is empty and whose files are the test's own."""
    return Settings(
        _env_file=None,  # type: ignore[call-arg] # a developer's own must not decide
        data_dir=tmp_path / "var",
        database_url=SecretStr(database.url.render_as_string(hide_password=False)),
    )


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """The service, started; an error that it did not expect fails the test."""
    with TestClient(create_app(settings), base_url=BASE_URL) as client:
        yield client
