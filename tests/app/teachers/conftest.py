"""A service whose operator has named a server on loopback, and that server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.config import Settings
from core.db.session import Database
from tests.app.teachers.server import Script, serving, teaches


@pytest.fixture
def server() -> Iterator[Script]:
    """It answers with log-probabilities until a test scripts it otherwise."""
    with serving(teaches()) as script:
        yield script


@pytest.fixture
def settings(database: Database, tmp_path: Path, server: Script) -> Settings:
    return Settings(
        _env_file=None,  # type: ignore[call-arg] # a developer's own must not decide
        data_dir=tmp_path / "var",
        database_url=SecretStr(database.url.render_as_string(hide_password=False)),
        teacher_hosts=("api.openai.com", f"http://127.0.0.1:{server.port}"),
    )
