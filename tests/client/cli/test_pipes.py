"""The command line as a shell runs it: pipes, signals, exit codes, a real service."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.deployment import PATIENCE_S
from tests.client.conftest import Served
from tests.worker.corpus import LABELS, make_rows

FAR_TOO_MUCH = 5_000_000
# Whoever has not read on after this does not mean to.
QUIET_S = 5.0
LLKD = [str(Path(sys.prefix) / "bin" / "llkd")]


def start(served: Served, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*LLKD, *arguments],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LLKD_URL": served.url},
        **{"stdin": pipe, "stdout": pipe, "stderr": pipe, **options},
    )


def run(served: Served, *arguments: str, given: bytes = b"") -> tuple[int, str, str]:
    process = start(served, *arguments)
    out, err = process.communicate(given, timeout=PATIENCE_S)
    assert b"Traceback" not in err
    return process.returncode, out.decode(), err.decode()


class TestPredict:
    def test_lines_become_json_lines_in_their_order(self, served: Served):
        texts = [row["text"] for row in make_rows(600)]
        code, out, _ = run(served, "predict", "tickets", "-", given="\n".join(texts).encode())
        told = [json.loads(line) for line in out.splitlines()]
        assert code == 0
        assert [each["text"] for each in told] == texts
        assert [each["line"] for each in told] == list(range(1, 601))
        assert {each["label"] for each in told} <= set(LABELS)

    def test_a_line_without_an_answer_keeps_its_place_and_the_others_theirs(self, served: Served):
        given = b"first\n\xff\xfe\n" + b"x" * (2 * 1024 * 1024) + b"\nlast\r\n\n"
        code, out, err = run(served, "predict", "tickets", "--top-k", "1", given=given)
        told = [json.loads(line) for line in out.splitlines()]
        assert code == 1
        assert [each["line"] for each in told] == [1, 2, 3, 4, 5]
        assert [each["label"] is None for each in told] == [False, True, True, False, False]
        assert told[3]["text"] == "last"
        assert told[4]["empty_input"]
        assert "line 2:" in err
        assert "line 3:" in err

    def test_an_answer_comes_before_the_input_ends(self, served: Served):
        with start(served, "predict", "tickets") as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for text in (b"one\n", b"two\n"):
                process.stdin.write(text)
                process.stdin.flush()
                assert json.loads(process.stdout.readline())["text"] == text.decode().strip()
            process.stdin.close()
            assert process.wait(PATIENCE_S) == 0

    def test_it_reads_no_further_than_it_needs_to(self, served: Served):
        line = b"x" * 1000 + b"\n"
        with start(served, "predict", "tickets", "--batch", "1", bufsize=0) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            written = process.stdin.write(line) or 0
            assert process.stdout.read(1)
            # Nobody reads on: its answers fill their pipe, and then it must stop reading, too.
            descriptor = process.stdin.fileno()
            os.set_blocking(descriptor, False)
            while written < FAR_TOO_MUCH and select.select([], [descriptor], [], QUIET_S)[1]:
                written += os.write(descriptor, line)
            assert process.poll() is None
            assert written < FAR_TOO_MUCH
            process.kill()

    def test_a_reader_that_goes_away_ends_it_quietly(self, served: Served):
        with start(served, "predict", "tickets") as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            process.stdin.write(b"one\n" * 1000)
            process.stdin.close()
            assert process.wait(PATIENCE_S) == 141
            assert process.stderr.read() == b""

    def test_a_model_that_is_not_there_is_told_before_anything_is_read(self, served: Served):
        with start(served, "predict", "nothing-of-this-name") as process:
            assert process.wait(PATIENCE_S) == 1


class TestDistill:
    def test_from_a_file_to_a_prediction(self, served: Served, spec, tmp_path: Path):
        texts = tmp_path / "texts.txt"
        texts.write_text("\n".join(row["text"] for row in make_rows()), encoding="utf-8")
        labels = tmp_path / "labels.yaml"
        labels.write_text(json.dumps(spec["labels"]), encoding="utf-8")
        code, out, err = run(
            served,
            *("distill", str(texts), "--labels", str(labels), "--name", "from-cli"),
            *("--teacher", json.dumps(spec["teacher"]), "--student", json.dumps(spec["student"])),
            *("--set", f"training={json.dumps(spec['training'])}"),
        )
        assert code == 0, err
        told = json.loads(out)
        assert told["job"]["state"] == "succeeded"
        assert told["report"]["training"]["steps"] > 0
        assert "100.0 %" in err
        code, out, _ = run(served, "predict", "from-cli", "a text", "--table")
        assert code == 0
        assert any(label in out for label in LABELS)
        code, out, _ = run(served, "watch", told["job"]["id"], "--table")
        assert code == 0
        assert "llkd predict from-cli" in out


class TestWatch:
    def test_interrupted_it_leaves_the_job_and_says_how_to_come_back(self, served: Served, spec):
        job = served.client().jobs.create(dataset_id=served.job.dataset_id, **spec)
        with start(served, "watch", job.id) as process:
            assert process.stderr is not None
            process.stderr.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_S) == 130
            assert f"llkd watch {job.id}".encode() in process.stderr.read()
        assert not served.client().jobs.get(job.id).ended
        served.client().jobs.cancel(job.id)

    def test_events_are_json_lines(self, served: Served):
        code, out, _ = run(served, "watch", served.job.id, "--events")
        *events, last = [json.loads(line) for line in out.splitlines()]
        assert code == 0
        assert events[0]["type"] == "job.queued"
        assert events[-1]["type"] == "job.succeeded"
        assert last["job"]["id"] == served.job.id


class TestOthers:
    def test_models_are_listed_and_exported(self, served: Served, tmp_path: Path):
        code, out, _ = run(served, "models", "--name", "tickets")
        assert code == 0
        assert served.model in [json.loads(line)["id"] for line in out.splitlines()]
        code, out, _ = run(served, "export", served.model, "-o", str(tmp_path / "model.tar"))
        assert code == 0
        assert json.loads(out)["size_bytes"] == (tmp_path / "model.tar").stat().st_size

    def test_a_dataset_is_shown_with_what_was_set_aside(self, served: Served, tmp_path: Path):
        file = tmp_path / "texts.csv"
        lines = [row["text"] for row in make_rows(40)]
        file.write_text("\n".join(["text", *lines, '""', ""]), encoding="utf-8")
        code, out, _ = run(served, "datasets", "add", str(file))
        assert code == 0
        code, out, _ = run(served, "datasets", "show", json.loads(out)["id"], "--table")
        assert code == 0
        assert "set aside because" in out

    @pytest.mark.parametrize(
        ("options", "answer"),
        [
            (
                ("--teacher-label-column", "said", "--teacher-confidence-column", "sure"),
                {"said": "billing", "sure": 0.75},
            ),
            (("--teacher-probabilities-column", "all"), {"all": {"billing": 0.75, "access": 0.25}}),
            (("--teacher-votes-column", "votes"), {"votes": ["billing", "billing", "access"]}),
        ],
    )
    def test_answers_from_elsewhere_come_in_any_of_their_ways(
        self, served: Served, tmp_path: Path, options: tuple[str, ...], answer: dict[str, object]
    ):
        file = tmp_path / "answered.jsonl"
        lines = [{"text": row["text"], **answer} for row in make_rows(40)]
        file.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
        code, out, _ = run(served, "datasets", "add", str(file), *options)
        assert code == 0
        statistics = json.loads(out)["statistics"]
        assert statistics["teacher_answers"] == statistics["unique"]

    def test_an_estimate_and_an_audit_are_tables_on_demand(self, served: Served, spec, tmp_path):
        labels = tmp_path / "labels.json"
        labels.write_text(json.dumps(spec["labels"]), encoding="utf-8")
        code, out, _ = run(
            served,
            *("estimate", served.job.dataset_id, "--labels", str(labels), "--table"),
            *("--teacher", json.dumps(spec["teacher"]), "--student", json.dumps(spec["student"])),
        )
        assert code == 0
        assert "teacher calls" in out
        code, out, _ = run(served, "audit", served.job.id, "--table")
        assert code == 0
        assert "likely wrong" in out

    def test_a_healthy_service_passes_the_doctor(self, served: Served):
        code, out, _ = run(served, "doctor", "--json")
        found = {each["name"]: each["state"] for each in json.loads(out)["findings"]}
        assert code == 0
        assert (found["service"], found["ready"], found["access"]) == ("ok", "ok", "ok")

    def test_nobody_at_the_address_is_69(self, served: Served):
        process = subprocess.run(
            [*LLKD, "--url", "http://127.0.0.1:9", "jobs"], capture_output=True, check=False
        )
        assert process.returncode == 69
        assert b"does not answer" in process.stderr


@pytest.mark.parametrize("arguments", [["jobs", "--limit", "0"], ["export"]])
def test_wrong_usage_is_two(served: Served, arguments: list[str]):
    assert run(served, *arguments)[0] == 2
