"""What an upload leaves on the disk, and when it may not begin."""

import asyncio
import os
import shutil
import time
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import middleware
from app.datasets import upload as uploads
from app.datasets.errors import InsufficientStorage
from app.datasets.upload import refuse_full_disk, sweep
from app.main import create_app
from core.config import Settings
from tests.app.datasets.files import csv_file, upload

GIB = 1024**3
Usage = namedtuple("Usage", "total used free")


def disk(monkeypatch: pytest.MonkeyPatch, *, total: int, free: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(total, total - free, free))


class TestRefuseFullDisk:
    def test_five_gibibytes_of_a_large_disk_are_kept(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        disk(monkeypatch, total=1000 * GIB, free=7 * GIB)
        refuse_full_disk(tmp_path, coming=2 * GIB)
        with pytest.raises(InsufficientStorage):
            refuse_full_disk(tmp_path, coming=2 * GIB + 1)

    def test_a_twentieth_of_a_small_disk_is_kept(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        disk(monkeypatch, total=20 * GIB, free=2 * GIB)
        refuse_full_disk(tmp_path, coming=GIB)
        with pytest.raises(InsufficientStorage):
            refuse_full_disk(tmp_path, coming=GIB + 1)

    def test_an_upload_to_a_full_disk_is_507(
        self, monkeypatch: pytest.MonkeyPatch, shared_client: TestClient
    ) -> None:
        disk(monkeypatch, total=1000 * GIB, free=4 * GIB)
        answer = upload(shared_client, "a.csv", csv_file())
        assert (answer.status_code, answer.json()["code"]) == (507, "insufficient-storage")

    def test_a_disk_that_fills_while_a_file_comes_is_noticed(
        self, monkeypatch: pytest.MonkeyPatch, shared_client: TestClient
    ) -> None:
        monkeypatch.setattr(uploads, "CHECK_EVERY", uploads.BLOCK)
        frees = iter([9 * GIB, 4 * GIB])
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1000 * GIB, 0, next(frees)))
        answer = upload(shared_client, "a.csv", csv_file(["a" * 1000] * 5000))
        assert (answer.status_code, answer.json()["code"]) == (507, "insufficient-storage")


class TestSweep:
    def test_only_what_an_upload_left_long_ago_is_removed(self, tmp_path: Path) -> None:
        long_ago = time.time() - 3700
        for name in ("old.upload", "written.upload", "other"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "source").write_bytes(b"a")
            os.utime(tmp_path / name / "source", (long_ago, long_ago))
            os.utime(tmp_path / name, (long_ago, long_ago))
        os.utime(tmp_path / "written.upload" / "source")
        sweep(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "written.upload"]


HEADERS = [
    (b"host", b"127.0.0.1"),
    (b"content-type", b"multipart/form-data; boundary=b"),
]
BEGUN = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\ntext\na'


async def post(app: FastAPI, messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Send these messages and then nothing; returns the answer's beginning."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        await asyncio.sleep(60)
        raise AssertionError("nobody should wait so long")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/datasets",
        "raw_path": b"/datasets",
        "query_string": b"",
        "root_path": "",
        "headers": HEADERS,
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "state": {},
    }
    async with app.router.lifespan_context(app):
        await app(scope, receive, send)
    return sent[0]


class TestAClientThatStops:
    def test_half_a_file_leaves_nothing(self, shared_settings: Settings) -> None:
        app = create_app(shared_settings)
        half = {"type": "http.request", "body": BEGUN, "more_body": True}
        answer = asyncio.run(post(app, [half, {"type": "http.disconnect"}]))
        assert answer["status"] == 400
        assert not list((shared_settings.data_dir / "artifacts" / "incoming").iterdir())

    def test_a_body_that_dribbles_is_cut_off(
        self, shared_settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(middleware, "BODY_GRACE_SECONDS", 0.2)
        app = create_app(shared_settings)
        half = {"type": "http.request", "body": BEGUN, "more_body": True}
        answer = asyncio.run(post(app, [half]))
        assert answer["status"] == 408
        assert not list((shared_settings.data_dir / "artifacts" / "incoming").iterdir())
