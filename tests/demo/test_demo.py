"""The demo from its first line to its exit code, against a service that follows a script."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo import __main__ as demo
from demo import watching
from demo.service import Service
from llkd_client import Client
from tests.demo import recorded


class ScriptedService:
    """Answers as the contract says; jobs end in `ending` at once."""

    def __init__(self, *, ending: str = "succeeded") -> None:
        self.ending = ending
        self.uploads: list[bytes] = []
        self.specs: list[recorded.Json] = []
        self.cancelled: list[str] = []
        self.left_over: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        path = request.url.path
        if request.method == "GET":
            return self._told(path, request)
        if path == "/datasets":
            self.uploads.append(request.content)
            counts = {"rows": 3000, "unique": 3000, "duplicates": 0, "set_aside": 0}
            body = {
                "id": f"ds_{len(self.uploads)}",
                "name": "support",
                "created_at": "2026-01-02T10:00:00Z",
                "size_bytes": 1,
                "statistics": counts,
            }
            return httpx.Response(201, json=body)
        if path == "/jobs":
            self.specs.append(json.loads(request.content))
            return httpx.Response(202, json={"id": f"job_{len(self.specs)}", "state": "queued"})
        if path == "/predict":
            return httpx.Response(200, json={"model": "model_01", "data": [self._prediction()] * 3})
        assert path.endswith("/cancel")
        self.cancelled.append(path.split("/")[2])
        return httpx.Response(200, json=recorded.job(state="cancelled"))

    def _told(self, path: str, request: httpx.Request) -> httpx.Response:
        if path == "/jobs":
            running = request.url.params["state"] == "running"
            left = [{**recorded.job(), "id": job} for job in self.left_over] if running else []
            return httpx.Response(200, json={"data": left, "has_more": False})
        if path.endswith("/report"):
            everything = path.split("/")[2] == "job_2"
            report = recorded.report(student_f1=0.70, gradient=9000) if everything else None
            return httpx.Response(200, json=report or recorded.report(student_f1=0.78))
        error = None if self.ending == "succeeded" else {"detail": "the disk is full"}
        job = recorded.job(state=self.ending, error=error)
        return httpx.Response(200, json={**job, "id": path.split("/")[2]})

    def _prediction(self) -> recorded.Json:
        scores = [{"label": "refund", "score": 0.9}]
        return {"index": 0, "label": "refund", "score": 0.9, "scores": scores}


def run(
    script: ScriptedService, monkeypatch: pytest.MonkeyPatch, folder: Path, *options: str
) -> int:
    @contextmanager
    def no_processes(data_dir: Path, **_: Any) -> Iterator[Service]:
        yield Service("http://service", data_dir, {})

    def connect(url: str) -> Client:
        return Client(url, transport=httpx.MockTransport(script))

    monkeypatch.setattr(demo, "running_service", no_processes)
    monkeypatch.setattr(demo, "connect", connect)
    monkeypatch.setattr(watching, "POLL_EVERY_S", 0.0)
    return demo.main(["--data-dir", str(folder), *options])


class TestDemo:
    def test_it_compares_two_jobs_on_one_dataset_and_predicts(
        self,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        script = ScriptedService()
        assert run(script, monkeypatch, tmp_path) == 0
        assert [spec["selection"]["kind"] for spec in script.specs] == ["llkd", "all"]
        first, second = script.specs
        assert (first["dataset_id"], first["evaluation"]["dataset_id"]) == ("ds_1", "ds_2")
        assert second["from_job"] == "job_1"
        assert (first["training"], second["training"]) == ({"epochs": 3}, {"max_steps": 97})
        shown = capsys.readouterr().out
        for expected in (
            "first one's 1,200 answers",
            "student, all ",
            "8.0 points above",
            "→ refund 0.90",
            '"model": "model_01"',
            "./run up",
        ):
            assert expected in shown

    def test_no_gold_label_leaves_with_the_training_texts(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        script = ScriptedService()
        run(script, monkeypatch, tmp_path)
        pool, gold = script.uploads
        assert b'"label"' not in pool
        assert b"label_column" not in pool
        assert b'"label": "delivery"' in gold

    def test_a_failed_job_fails_the_demo_and_says_why(
        self,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert run(ScriptedService(ending="failed"), monkeypatch, tmp_path) == 1
        assert "the disk is full" in capsys.readouterr().out

    def test_an_interrupt_cancels_the_job_that_runs(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        script = ScriptedService()

        def interrupted(*_: Any, **__: Any) -> recorded.Json:
            raise KeyboardInterrupt

        monkeypatch.setattr(demo, "follow", interrupted)
        assert run(script, monkeypatch, tmp_path) == 130
        assert script.cancelled == ["job_1"]

    def test_a_job_left_by_a_killed_run_is_cancelled_first(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        script = ScriptedService()
        script.left_over = ["job_old"]
        assert run(script, monkeypatch, tmp_path) == 0
        assert script.cancelled == ["job_old"]
