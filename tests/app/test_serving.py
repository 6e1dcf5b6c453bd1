"""Starting the service: `python -m app.serve`, as an operator does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.serve import refuse_open_door
from core.config import Settings
from tests.servers import free_port

KEY = "k" * 32


def _environment(folder: Path, **given: str) -> dict[str, str]:
    """This process's environment without any setting of the service but these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LLKD_")}
    root = str(Path(__file__).parents[2])
    return kept | {"LLKD_DATA_DIR": str(folder), "PYTHONPATH": root} | given


def _serve(folder: Path, **given: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "app.serve"],
        env=_environment(folder, **given),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def _serving(folder: Path, **given: str) -> Iterator[str]:
    """A service that answers, until the block ends; it must then stop by itself."""
    port = free_port()
    process = _serve(folder, LLKD_PORT=str(port), **given)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while not _answers(address):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield address
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz").status_code == 200
    except httpx.TransportError:
        return False


class TestOpenDoor:
    def test_without_a_key_it_refuses_to_listen_beyond_loopback(self, tmp_path: Path) -> None:
        process = _serve(tmp_path, LLKD_HOST="0.0.0.0", LLKD_PORT=str(free_port()))
        _, said = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "Refusing to listen on 0.0.0.0" in said
        assert "LLKD_API_KEYS" in said
        assert not (tmp_path / "llkd.db").exists()

    def test_a_key_that_is_too_short_is_named_and_not_shown(self, tmp_path: Path) -> None:
        process = _serve(tmp_path, LLKD_API_KEYS="me:hunter2")
        _, said = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "LLKD_API_KEYS" in said
        assert "hunter2" not in said

    @pytest.mark.parametrize("host", ["::", "192.0.2.1", "127.0.0.1.example", "0", ""])
    def test_any_host_but_loopbacks_own_names_is_beyond_it(self, host: str) -> None:
        settings = Settings(_env_file=None, host=host)  # type: ignore[call-arg]
        with pytest.raises(SystemExit, match="Refusing to listen"):
            refuse_open_door(settings)

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
    def test_loopback_needs_no_key(self, host: str) -> None:
        refuse_open_door(Settings(_env_file=None, host=host))  # type: ignore[call-arg]


class TestTeacherSettings:
    @pytest.mark.parametrize(
        ("name", "value", "told"),
        [
            ("LLKD_TEACHER_HOSTS", "https://api.openai.com/v1", "https://api.openai.com/v1"),
            ("LLKD_SECRET_KEYS", "k1:aHVudGVyMg==", "entry 1"),
            ("LLKD_PRICES_FILE", "prices.toml", "number 1: model"),
        ],
    )
    def test_a_bad_one_is_named_before_anything_is_served(
        self, tmp_path: Path, name: str, value: str, told: str
    ) -> None:
        prices = '[[price]]\nhost = "api.openai.com"\n'
        (tmp_path / "prices.toml").write_text(prices, encoding="utf-8")
        process = _serve(tmp_path, **{name: value})
        _, said = process.communicate(timeout=60)
        assert process.returncode == 1
        assert said.startswith(f"{name}: ")
        assert told in said
        assert "aHVudGVyMg==" not in said
        assert not (tmp_path / "llkd.db").exists()


class TestServe:
    def test_on_loopback_it_needs_nothing_and_is_ready(self, tmp_path: Path) -> None:
        with _serving(tmp_path) as address:
            assert httpx.get(f"{address}/readyz").json() == {"status": "ok"}
            assert httpx.get(f"{address}/jobs").json()["data"] == []
            assert httpx.get(f"{address}/openapi.json").status_code == 200
            foreign = httpx.get(f"{address}/jobs", headers={"Host": "rebound.example"})
            assert (foreign.status_code, foreign.json()["code"]) == (400, "invalid-host")
        assert (tmp_path / "llkd.db").exists()

    def test_beyond_loopback_every_request_needs_the_key(self, tmp_path: Path) -> None:
        given = {"LLKD_HOST": "0.0.0.0", "LLKD_API_KEYS": f"acme:{KEY}"}
        with _serving(tmp_path, **given) as address:
            bare = httpx.get(f"{address}/jobs")
            assert (bare.status_code, bare.json()["code"]) == (401, "unauthorized")
            assert bare.headers["www-authenticate"].startswith("Bearer")
            wrong = httpx.get(f"{address}/jobs", headers={"Authorization": f"Bearer {'x' * 32}"})
            assert wrong.status_code == 401
            right = httpx.get(f"{address}/jobs", headers={"Authorization": f"Bearer {KEY}"})
            assert right.status_code == 200
