"""Each command says what it did in the way that was asked for, and fails in one line."""

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner, Result

import llkd_client
from llkd_client import Overloaded, RetryPolicy
from llkd_client.cli.asking import read_labels
from llkd_client.cli.connection import connected, patiently_connected
from llkd_client.cli.lines import Line
from llkd_client.cli.main import app
from llkd_client.cli.output import print_json
from llkd_client.cli.predict import _asked, _batches, _parts
from llkd_client.errors import Problem
from tests.client.parts import DATASET, QUICK, URL, Script, job, problem

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line, with a service that follows a script."""

    def run(script: Script, *arguments: str) -> Result:
        def connect(url: str | None, **_: Any) -> llkd_client.Client:
            transport = httpx.MockTransport(script)
            return real(url or URL, transport=transport, retry=QUICK)

        monkeypatch.setattr(llkd_client, "Client", connect)
        return CliRunner().invoke(app, list(arguments))

    real = llkd_client.Client
    return run


def listed(*entries: Any) -> httpx.Response:
    return httpx.Response(200, json={"data": list(entries), "has_more": False})


def labels_file(folder: Path, text: str = "[billing, tech]") -> str:
    file = folder / "labels.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


HEALTH = httpx.Response(200, json={"status": "ok"})


class TestOutput:
    def test_into_a_pipe_a_list_is_json_lines(self, run: Run):
        result = run(Script(listed(job(id="job_1"), job(id="job_2"))), "jobs")
        assert result.exit_code == 0
        assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ["job_1", "job_2"]

    def test_what_the_service_tells_beyond_our_knowledge_is_kept(self, run: Run):
        result = run(Script(listed(job(novel={"field": 1}))), "jobs", "--json")
        assert json.loads(result.stdout)["novel"] == {"field": 1}

    def test_a_table_is_made_when_asked_for(self, run: Run):
        result = run(Script(listed(job(name="[tickets]"))), "jobs", "--table")
        assert "62 %" in result.stdout
        assert "[tickets]" in result.stdout

    def test_a_text_cannot_take_over_the_terminal(self, run: Run):
        named = job(name="\x1b[2Jtickets :bug: [bold]", id="job_1")
        result = run(Script(listed(named)), "jobs", "--table")
        assert "\x1b" not in result.stdout
        assert "tickets :bug: [bold]" in result.stdout

    def test_json_is_told_in_ascii_where_the_output_holds_no_more(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        written = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1252"))
        print_json({"text": "→ ä 🐛"})
        assert json.loads(written.getvalue().decode("ascii")) == {"text": "→ ä 🐛"}

    def test_an_empty_list_says_how_to_go_on_and_prints_nothing(self, run: Run):
        result = run(Script(listed()), "jobs", "--table")
        assert "llkd distill" in result.stderr
        assert result.stdout == ""


class TestFailures:
    @pytest.mark.parametrize(
        ("trouble", "code"),
        [
            (problem(404, "not-found", detail="There is no job named 'x'."), 1),
            (problem(401, "unauthorized"), 1),
            (problem(422, "validation-error"), 1),
            (problem(500), 1),
            (httpx.Response(200, content=b"<html>"), 1),
            (httpx.UnsupportedProtocol("no"), 69),
        ],
        ids=["404", "401", "422", "500", "another service", "unreachable"],
    )
    def test_each_has_its_code_and_one_line(self, run: Run, trouble, code):
        result = run(Script(*[trouble] * 8), "cancel", "x")
        assert result.exit_code == code
        assert result.stderr.startswith("llkd: ")
        assert "Traceback" not in result.output

    @pytest.mark.parametrize(
        "arguments",
        [
            ["nonsense"],
            ["datasets", "add", "no-such-file.csv"],
            ["distill", "no-such-file.csv", "--labels", "no-such-file.yaml"],
            ["--url", "ftp://host", "jobs"],
            ["predict"],
            ["watch", ""],
            ["cancel", ".."],
            ["predict", "m", "\udcff"],
        ],
    )
    def test_wrong_usage_is_two(self, run: Run, arguments: list[str]):
        assert run(Script(HEALTH), *arguments).exit_code == 2

    def test_an_interrupt_is_130(self, run: Run):
        class Interrupted(Script):
            def __call__(self, request: httpx.Request) -> httpx.Response:
                raise KeyboardInterrupt

        assert run(Interrupted(), "jobs").exit_code == 130


class TestLabelsFile:
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("[billing, no, 1]", [{"name": "billing"}, {"name": "no"}, {"name": "1"}]),
            (
                "billing: Invoices\ntech:\n",
                [{"name": "billing", "description": "Invoices"}, {"name": "tech"}],
            ),
            (
                '{"labels": ["a", {"name": "b", "examples": ["x"]}]}',
                [{"name": "a"}, {"name": "b", "examples": ["x"]}],
            ),
            (
                '[{"name": "null", "description": null, "examples": ["~"]}]',
                [{"name": "null", "examples": ["~"]}],
            ),
            ("a: null\nnullable: ~\n", [{"name": "a"}, {"name": "nullable"}]),
            (
                "- name: a\n  description: A\n- b\n",
                [{"name": "a", "description": "A"}, {"name": "b"}],
            ),
        ],
    )
    def test_every_way_to_write_them_is_read(self, tmp_path: Path, text: str, told):
        assert read_labels(Path(labels_file(tmp_path, text))) == told

    @pytest.mark.parametrize("text", ["", "billing", "[[1]]", "{", "a: [b]", "labels:\n"])
    def test_what_holds_no_labels_is_wrong_usage(self, run: Run, tmp_path: Path, text: str):
        texts = tmp_path / "texts.txt"
        texts.write_text("hello\n")
        result = run(Script(), "distill", str(texts), "--labels", labels_file(tmp_path, text))
        assert result.exit_code == 2


class TestDistill:
    def test_the_whole_request_is_made_of_options(self, run: Run, tmp_path: Path):
        script = Script(HEALTH, httpx.Response(202, json=job("queued")))
        result = run(
            script,
            *("distill", "ds_1", "--labels", labels_file(tmp_path), "--no-watch"),
            *("--teacher", "teacher_01", "--name", "tickets", "--budget-usd", "2.5"),
            *("--selection", "all", "--student", '{"kind": "static"}'),
            *("--set", "training.epochs=3", "--set", "metadata.team=cx"),
        )
        assert result.exit_code == 0, result.output
        assert json.loads(script.asked[-1].content) == {
            "dataset_id": "ds_1",
            "labels": [{"name": "billing"}, {"name": "tech"}],
            "teacher": {"kind": "openai", "teacher_id": "teacher_01"},
            "name": "tickets",
            "budget": {"max_usd": 2.5},
            "selection": {"kind": "all"},
            "student": {"kind": "static"},
            "training": {"epochs": 3},
            "metadata": {"team": "cx"},
        }
        assert json.loads(result.stdout)["id"] == "job_1"

    def test_a_job_that_fails_ends_with_one_and_says_why(self, run: Run, tmp_path: Path):
        failed = job("failed", error={"title": "Lost", "detail": "the disk is full"})
        script = Script(
            HEALTH, httpx.Response(202, json=job("queued")), httpx.Response(200, json=failed)
        )
        result = run(script, "distill", "ds_1", "--labels", labels_file(tmp_path))
        assert result.exit_code == 1
        assert "the disk is full" in result.stderr
        assert json.loads(result.stdout)["job"]["state"] == "failed"

    def test_gold_is_not_read_for_a_teachers_answers(self, run: Run, tmp_path: Path):
        file = tmp_path / "texts.csv"
        file.write_text("text,label,said\nhello,billing,tech\n")
        script = Script(HEALTH, DATASET, DATASET, problem(422))
        run(
            script,
            *("distill", str(file), "--gold", str(file), "--labels", labels_file(tmp_path)),
            *("--teacher", "provided", "--teacher-label-column", "said"),
        )
        _, texts, gold, _ = (request.content for request in script.asked)
        assert b"teacher_label_column" in texts
        assert b"teacher_label_column" not in gold

    def test_a_service_that_goes_away_says_how_to_come_back(self, run: Run, tmp_path: Path):
        script = Script(HEALTH, httpx.Response(202, json=job("queued")), *[problem(503)] * 8)
        result = run(script, "distill", "ds_1", "--labels", labels_file(tmp_path))
        assert result.exit_code == 1
        assert "llkd watch job_1" in result.stderr


class TestWatch:
    def test_what_a_job_came_to_is_told_after_its_model_is_gone(self, run: Run):
        report = {
            "job_id": "job_1",
            "teacher": {"kind": "few_shot"},
            "student": {"held_out_agreement": {"value": 0.875, "rows": 40}},
            "training": {
                "pool": 200,
                "unique_samples": 90,
                "gradient_samples": 120,
                "steps": 8,
                "epochs": 2.0,
                "seconds": 3.0,
            },
        }
        script = Script(
            HEALTH,
            httpx.Response(200, json=job("succeeded", model_id="model_1")),
            httpx.Response(200, json=report),
            problem(410, "gone"),
        )
        result = run(script, "watch", "job_1", "--table")
        assert result.exit_code == 0, result.output
        assert "87.5%" in result.stdout
        assert "model" not in result.stdout
        assert "llkd predict" not in result.stdout


class TestWaits:
    @pytest.mark.parametrize("connect", [connected, patiently_connected])
    def test_long_ones_are_said(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], connect
    ):
        policies: list[RetryPolicy] = []

        def client(url: str | None, *, retry: RetryPolicy) -> llkd_client.Client:
            policies.append(retry)
            return real(url, transport=httpx.MockTransport(Script(HEALTH)))

        real = llkd_client.Client
        monkeypatch.setattr(llkd_client, "Client", client)
        with connect(typer.Context(get_command(app), obj=URL)):
            busy = Overloaded(Problem(503, "unavailable", "Busy", ""))
            for on_wait in (each.on_wait for each in policies):
                assert on_wait is not None
                on_wait(5.0, busy)
                on_wait(30.0, busy)
        assert capsys.readouterr().err == "Busy (asked again in 30 s)\n" * len(policies)


class TestEstimate:
    def test_counts_stay_whole_numbers(self, run: Run, tmp_path: Path):
        counts = {"low": 0, "expected": 300, "high": 300}
        told = {
            "rows": 300,
            "teacher_calls": counts,
            "seconds": {"low": 240, "high": 410, "basis": "1 job"},
            "cost_usd": {"low": 1.31, "expected": 1.84, "high": 4.2},
        }
        script = Script(*[httpx.Response(200, json=told)] * 2)
        arguments = ("estimate", "ds_1", "--labels", labels_file(tmp_path))
        assert '"expected": 300,' in run(script, *arguments, "--json").stdout
        table = run(script, *arguments, "--table").stdout
        assert "300 (0 to 300)" in table
        assert "$1.31 to $4.20" in table
        assert "240 to 410 s" in table


class TestPredict:
    def test_one_text_is_one_document(self, run: Run):
        answer = {"index": 0, "label": "a", "score": 0.9, "scores": [{"label": "a", "score": 0.9}]}
        script = Script(httpx.Response(200, json={"model": "model_1", "data": [answer]}))
        result = run(script, "predict", "tickets", "where is it?")
        assert json.loads(result.stdout) == {"model": "model_1", **answer}

    def test_long_lines_go_in_as_many_requests_as_they_need(self):
        class Answering(Script):
            def _next(self, request: httpx.Request) -> httpx.Response:
                self.asked.append(request)
                texts = json.loads(request.content)["input"]
                if any(len(text) > 2_000_000 for text in texts):
                    refusal: httpx.Response = problem(413, "body-too-large")
                    return refusal
                data = [{"index": at, "label": "a", "score": 0.9} for at in range(len(texts))]
                return httpx.Response(200, json={"model": "model_1", "data": data})

        script = Answering()
        lines = [Line(number, "x" * 600_000) for number in range(1, 5)]
        lines.insert(2, Line(9, "x" * 3_000_000))
        texts = {line.number: line.text or "" for line in lines}
        client = script.client()
        told = [_asked(client, "tickets", part, {}) for part in _parts(texts)]
        assert [list(part) for part in told] == [[1, 2], [9], [3, 4]]
        assert told[1][9]["error"]["code"] == "body-too-large"
        assert all(len(request.content) < 4 * 1024 * 1024 for request in script.asked)

    def test_an_input_that_is_closed_is_told_as_such(self):
        program = "from llkd_client.cli import main; main()"
        told = subprocess.run(
            ["sh", "-c", 'exec "$0" -c "$1" predict tickets <&-', sys.executable, program],
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.returncode == 2
        assert "input is closed" in told.stderr
        assert "Traceback" not in told.stderr


class TestBatches:
    def test_they_are_of_one_size_and_the_last_is_the_rest(self):
        lines = [Line(number, "a") for number in range(5)]
        numbers = [[line.number for line in batch] for batch in _batches(iter(lines), 2)]
        assert [number for batch in numbers for number in batch] == [0, 1, 2, 3, 4]
        assert max(map(len, numbers)) == 2
        assert [len(batch) for batch in _batches(iter(lines), 1)] == [1] * 5

    def test_what_cannot_be_read_is_raised_behind_what_could(self):
        def lines() -> Iterator[Line]:
            yield Line(1, "a")
            raise IsADirectoryError(21, "Is a directory")

        batches = _batches(lines(), 8)
        assert next(batches) == [Line(1, "a")]
        with pytest.raises(IsADirectoryError):
            next(batches)


class TestDoctor:
    def test_without_a_service_it_ends_with_69_and_still_looks_at_the_machine(self, run: Run):
        result = run(Script(*[httpx.ConnectError("refused")] * 8), "doctor", "--json")
        found = {each["name"]: each for each in json.loads(result.stdout)["findings"]}
        assert result.exit_code == 69
        assert found["service"]["state"] == "missing"
        assert {"Python", "GPU", "disk", "llkd-client"} <= found.keys()

    def test_a_database_that_is_away_is_told_in_the_services_words(self, run: Run):
        script = Script(
            HEALTH,
            httpx.Response(200, json={"version": "1"}),
            *[problem(503, "unavailable", detail="The database does not answer.")] * 8,
            listed(),
        )
        result = run(script, "doctor", "--json")
        found = {each["name"]: each for each in json.loads(result.stdout)["findings"]}
        assert "database does not answer" in found["ready"]["detail"]
        assert result.exit_code == 1

    @pytest.mark.parametrize(
        ("options", "source"),
        [([], "the default"), (["--url", "http://elsewhere"], "http://elsewhere (from --url)")],
    )
    def test_it_says_where_the_address_is_from(self, run: Run, options: list[str], source: str):
        result = run(Script(*[httpx.ConnectError("refused")] * 8), *options, "doctor", "--json")
        told = json.loads(result.stdout)["findings"][0]
        assert told["name"] == "URL"
        assert source in told["detail"]

    @pytest.mark.parametrize(
        ("url", "state", "code"), [("http://127.0.0.1:8000", "missing", 1), (URL, "absent", 0)]
    )
    def test_a_full_disk_matters_where_the_service_is(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, url: str, state: str, code: int
    ):
        usage = shutil.disk_usage("/")._replace(free=1)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        version = httpx.Response(200, json={"version": "1"})
        ready = httpx.Response(200, json={"status": "ready"})
        result = run(Script(HEALTH, version, ready, listed()), "--url", url, "doctor", "--json")
        found = {each["name"]: each for each in json.loads(result.stdout)["findings"]}
        assert found["disk"]["state"] == state
        assert result.exit_code == code

    def test_an_address_that_is_none_is_a_finding_like_others(self, run: Run):
        result = run(Script(), "--url", "ftp://host", "doctor", "--json")
        found = {each["name"]: each for each in json.loads(result.stdout)["findings"]}
        assert found["URL"]["state"] == "missing"
        assert "ftp://host" in found["URL"]["detail"]
        assert {"Python", "disk"} <= found.keys()
        assert result.exit_code == 1

    def test_no_value_of_a_setting_is_shown(self, run: Run, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("LLKD_DATABASE_URL", "postgresql://me:hunter2@host/db")
        monkeypatch.setenv("LLKD_API_KEY", "a-key-that-nobody-may-see")
        result = run(Script(*[httpx.ConnectError("refused")] * 8), "doctor", "--table")
        assert "hunter2" not in result.output
        assert "nobody" not in result.output


class TestStart:
    def test_help_loads_neither_http_nor_shapes(self):
        loaded = subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys; import llkd_client.cli.main; "
                "print({'httpx', 'pydantic', 'rich', 'yaml'} & {*sys.modules})",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        assert loaded.stdout.strip() == "set()"

    def test_commands_are_completed(self):
        told = subprocess.run(
            [sys.executable, "-c", "from llkd_client.cli import main; main()"],
            env={"_LLKD_COMPLETE": "complete_bash", "COMP_WORDS": "llkd pre", "COMP_CWORD": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "predict" in told.stdout
