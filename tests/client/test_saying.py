"""Short ways to ask, where the service is, and what is never shown."""

import io
import json
import logging
import time
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from llkd_client import (
    BadAddress,
    BadName,
    Client,
    InvalidRequest,
    Job,
    JobFailed,
    Lines,
    NotFound,
    RetryPolicy,
    TerminalBar,
)
from llkd_client.progress import NotebookBar, Silence, describe, find_progress
from llkd_client.specs import as_kind, as_labels, as_teacher
from tests.client.parts import DATASET, Script, job, problem

KEY = "a-key-that-nobody-may-see"


class TestLabels:
    def test_names_objects_and_descriptions_by_name_are_understood(self):
        assert as_labels(["a", {"name": "b", "examples": ["x"]}]) == [
            {"name": "a"},
            {"name": "b", "examples": ["x"]},
        ]
        assert as_labels({"a": "first", "b": None, "c": {"examples": ["x"]}}) == [
            {"name": "a", "description": "first"},
            {"name": "b"},
            {"name": "c", "examples": ["x"]},
        ]

    def test_one_string_is_no_list_of_labels(self):
        with pytest.raises(TypeError, match="not one string"):
            as_labels("billing")

    def test_kinds_and_stored_teachers_have_short_names(self):
        assert as_kind("all") == {"kind": "all"}
        assert as_teacher("few_shot") == {"kind": "few_shot"}
        assert as_teacher("teacher_01") == {"kind": "openai", "teacher_id": "teacher_01"}
        assert as_teacher({"kind": "provided"}) == {"kind": "provided"}


class TestAddress:
    def test_arguments_come_before_the_environment(self, monkeypatch: pytest.MonkeyPatch):
        assert Client().url == "http://127.0.0.1:8000"
        monkeypatch.setenv("LLKD_URL", "https://example.org/llkd/")
        assert Client().url == "https://example.org/llkd"
        assert Client("http://localhost:1").url == "http://localhost:1"

    @pytest.mark.parametrize("url", ["ftp://host", "host:8000", "http://", "http://a:b@host"])
    def test_what_is_no_address_is_refused(self, url: str):
        with pytest.raises(BadAddress):
            Client(url)

    def test_a_password_in_a_url_is_not_repeated(self):
        with pytest.raises(BadAddress) as caught:
            Client("http://me:hunter2@host")
        assert "hunter2" not in str(caught.value)

    def test_the_key_goes_into_one_header(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("LLKD_API_KEY", f" {KEY}\n")
        script = Script(httpx.Response(200, json=job()))
        script.client().jobs.get("job_1")
        assert script.asked[0].headers["Authorization"] == f"Bearer {KEY}"

    @pytest.mark.parametrize("key", ["new\nline", "schlüssel"])
    def test_a_key_that_no_header_can_hold_is_refused_unseen(self, key: str):
        with pytest.raises(BadAddress) as caught:
            Client(api_key=key)
        assert key not in str(caught.value)


class TestNothingIsShown:
    def test_neither_texts_nor_the_key_are_logged_or_raised(self, caplog: pytest.LogCaptureFixture):
        caplog.set_level(logging.DEBUG)
        script = Script(problem(503), problem(422, "validation-error"))
        client = script.client(api_key=KEY)
        with pytest.raises(Exception, match="No") as caught:
            client.predict("model_1", ["a text of somebody's"])
        shown = caplog.text + repr(caught.value) + repr(client)
        assert "somebody" not in shown
        assert KEY not in shown


class TestPaths:
    def test_a_name_stays_one_part_of_the_path(self):
        script = Script(problem(404))
        with pytest.raises(Exception, match="No"):
            script.client().models.get("a/b?c@champion")
        assert script.asked[0].url.raw_path == b"/models/a%2Fb%3Fc@champion"

    def test_a_name_that_a_path_would_swallow_is_refused(self):
        for name in ("", ".", ".."):
            with pytest.raises(BadName, match="names nothing"):
                Script().client().models.get(name)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(state: str = "running", **fields) -> Job:
    return Job.model_validate(job(state, **fields))


class TestProgress:
    def test_a_terminal_has_one_line_that_is_written_over(self):
        stream = Terminal()
        bar = find_progress(stream)
        assert isinstance(bar, TerminalBar)
        bar.uploading(1, 2)
        bar.at(told())
        bar.end()
        shown = stream.getvalue()
        assert shown.count("\n") == 1
        assert " 62.5 %  train · 10 answers (2 stored) · 41 s left" in shown

    def test_nothing_is_written_where_nobody_watches(self):
        assert isinstance(find_progress(io.StringIO()), Silence)

    def test_a_log_has_a_line_for_what_is_news(self):
        stream = io.StringIO()
        lines = Lines(stream, title="llkd")
        for percent in (1.0, 1.1, 5.0, 12.0):
            lines.at(told(progress={"percent": percent}))
        lines.at(told("succeeded", progress={"percent": 100.0}))
        assert [line.split()[1] for line in stream.getvalue().splitlines()] == [
            "1.0",
            "12.0",
            "100.0",
        ]
        assert "\x1b" not in stream.getvalue()

    def test_a_notebook_has_one_display_that_is_updated(self):
        shown: list[str] = []

        class Handle:
            def update(self, html: str) -> None:
                shown.append(html)

        def show(html: str, *, display_id: bool) -> Handle:
            shown.append(html)
            return Handle()

        display = ModuleType("display")
        display.HTML = str  # type: ignore[attr-defined]
        display.display = show  # type: ignore[attr-defined]
        bar = NotebookBar(display)
        bar.at(told())
        bar.at(told("succeeded", progress={"percent": 100.0}))
        assert len(shown) == 2
        assert 'value="62.5"' in shown[0]
        assert "succeeded" in shown[1]

    def test_a_waiting_job_says_what_for(self):
        waiting = {
            "code": "teacher-unreachable",
            "detail": "The teacher does not answer.",
            "since": "2026-01-01T00:00:00Z",
            "until": "2026-01-01T00:01:00Z",
        }
        assert "does not answer" in describe(told("queued", stage=None, waiting=waiting))


class TestKeptTexts:
    def test_they_become_a_dataset(self):
        script = Script(DATASET)
        made = script.client().datasets.add_kept_texts("tickets@latest", name="hard ones")
        assert made.id == "ds_1"
        body = {"name": "hard ones", "kept_texts_of": "tickets@latest"}
        assert json.loads(script.asked[0].content) == body
        assert script.asked[0].headers["Idempotency-Key"]


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("told", ["abc", b"abc"])
class TestOneString:
    def test_it_is_not_uploaded_by_its_characters(self, kind, told):
        with pytest.raises(TypeError, match="not one string"):
            Script().client(kind).datasets.add_texts(told, name="texts")

    def test_nor_are_they_predicted(self, kind, told):
        with pytest.raises(TypeError, match="not one string"):
            Script().client(kind).predict_each("tickets", told)


class TestForecast:
    @pytest.mark.parametrize("kind", ["sync", "async"])
    def test_it_is_read_and_no_pilot_is_asked_for(self, kind: str):
        point = {"answers": 300, "value": 0.7, "low": 0.6, "high": 0.8}
        told = {"against": "gold", "measured_on": 80, "points": [point]}
        script = Script(httpx.Response(200, json=told))
        forecast = script.client(kind).jobs.forecast("job_1")
        assert (forecast.against, forecast.points[0].answers, forecast.points[0].low) == (
            "gold",
            300,
            0.6,
        )
        (asked,) = script.asked
        assert (asked.method, asked.url.path) == ("GET", "/jobs/job_1/forecast")


class TestDistill:
    def test_a_job_that_fails_is_raised_with_its_problem(self):
        error = {"code": "too-few-labels", "title": "Too few labels", "detail": "3 of 40"}
        script = Script(
            DATASET,
            httpx.Response(202, json=job("queued")),
            httpx.Response(200, json=job("failed", error=error)),
        )
        with pytest.raises(JobFailed, match="Too few labels: 3 of 40") as caught:
            script.client().distill(["a"], ["x", "y"])
        assert caught.value.problem is not None
        assert caught.value.problem.code == "too-few-labels"

    def test_interrupted_it_leaves_the_job_and_says_how_to_come_back(self):
        class Interrupted:
            said = ""

            def uploading(self, sent: int, total: int) -> None: ...
            def end(self) -> None: ...
            def at(self, job: Job) -> None:
                raise KeyboardInterrupt

            def say(self, line: str) -> None:
                self.said = line

        progress = Interrupted()
        script = Script(httpx.Response(202, json=job("queued")), httpx.Response(200, json=job()))
        with pytest.raises(KeyboardInterrupt):
            script.client().distill("ds_1", ["x", "y"], progress=progress)
        assert 'client.attach("job_1")' in progress.said
        assert [request.method for request in script.asked] == ["POST", "GET"]

    def test_a_long_wait_that_the_service_asks_for_is_said(self, monkeypatch: pytest.MonkeyPatch):
        waits: list[float] = []
        monkeypatch.setattr(time, "sleep", waits.append)
        stream = io.StringIO()
        full = problem(429, "too-many-jobs", detail="20 wait.", headers={"Retry-After": "60"})
        script = Script(
            problem(503),
            full,
            httpx.Response(202, json=job("queued")),
            httpx.Response(200, json=job("succeeded", model_id="model_1")),
        )
        client = script.client(retry=RetryPolicy())
        client.distill("ds_1", ["x", "y"], progress=Lines(stream))
        assert len(waits) == 2
        said, *_ = stream.getvalue().splitlines()
        assert said.startswith("No: 20 wait. (asked again in 6")

    def test_a_job_that_is_not_there_does_not_go_on(self):
        stream = Terminal()
        with pytest.raises(NotFound) as caught:
            Script(problem(404)).client().attach("job_1", progress=TerminalBar(stream))
        assert not hasattr(caught.value, "__notes__")
        assert stream.getvalue() == ""

    def test_an_upload_that_is_refused_leaves_the_bars_line_behind(self):
        stream = Terminal()
        with pytest.raises(InvalidRequest):
            Script(problem(422)).client().distill(["a"], ["x"], progress=TerminalBar(stream))
        assert stream.getvalue().endswith("\n")

    def test_gold_is_not_read_for_a_teachers_answers(self, tmp_path: Path):
        file = tmp_path / "tickets.csv"
        file.write_text("body,label,said\nhello,x,y\n")
        script = Script(DATASET, DATASET, problem(422))
        columns = {"text_column": "body", "teacher_label_column": "said"}
        with pytest.raises(InvalidRequest):
            script.client().distill(
                file, ["x", "y"], teacher="provided", gold=file, columns=columns
            )
        texts, gold, _ = (request.content for request in script.asked)
        assert b"teacher_label_column" in texts
        assert b"teacher_label_column" not in gold
        assert b'name="text_column"\r\n\r\nbody' in gold
        assert b'name="label_column"\r\n\r\nlabel' in gold

    def test_a_file_is_uploaded_with_its_columns(self, tmp_path: Path):
        file = tmp_path / "tickets.csv"
        file.write_text("body\nhello\n")
        script = Script(
            DATASET,
            httpx.Response(202, json=job("queued")),
            httpx.Response(200, json=job("succeeded", model_id="model_1")),
        )
        model = script.client().distill(
            file, ["x", "y"], columns={"text_column": "body"}, name="tickets", selection="all"
        )
        assert model.id == "model_1"
        assert b'name="text_column"\r\n\r\nbody' in script.asked[0].content
        assert b'"selection":{"kind":"all"}' in script.asked[1].content
