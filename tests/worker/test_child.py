"""A child keeps its pipe clean, dies with its supervisor, and is imported by nobody else."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.worker.conftest import wait_until
from worker.child import place_of
from worker.protocol import (
    Advanced,
    Assignment,
    CheckpointSaved,
    Crashed,
    Failed,
    Message,
    Part,
    Succeeded,
    Waiting,
    decode,
    encode,
)
from worker.stop_request import Released, StopRequest

# A supervisor that starts one child and then does nothing; the child is the real one up to
# the point where it would load its job.
SUPERVISOR = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE,
                         start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""
CHILD = """
import os, time
from worker.child import die_with
die_with(os.getppid())
open({ready!r}, "w").close()
time.sleep(600)
"""
HEAVY = ("torch", "transformers", "sklearn", "onnx", "onnxruntime")


class TestAChildWhoseSupervisorIsKilled:
    def test_is_gone_within_two_seconds(
        self, tmp_path: Path, record_property: Callable[[str, object], None]
    ) -> None:
        ready = tmp_path / "ready"
        supervisor = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, CHILD.format(ready=str(ready))],
            stdout=subprocess.PIPE,
            text=True,
        )
        with supervisor:
            assert supervisor.stdout is not None
            child = int(supervisor.stdout.readline())
            wait_until(ready.exists, within_s=30)
            supervisor.send_signal(signal.SIGKILL)
            supervisor.wait()
            seconds = wait_until(lambda: not _is_running(child), within_s=2)
        record_property("figure", f"child gone after {seconds:.2f} s")

    def test_before_it_could_ask_for_that_leaves_by_itself(self) -> None:
        # Process 1 is not its parent: as if the parent had died during the start.
        done = subprocess.run(
            [sys.executable, "-c", "from worker.child import die_with; die_with(1)"], check=False
        )
        assert done.returncode == 75


class TestTheProtocol:
    @pytest.mark.parametrize(
        "message",
        [
            Advanced(7, {"percent": 1.5}),
            CheckpointSaved({"uri": "x", "sha256": "y", "step": 3}),
            Succeeded({"model_id": "model_1"}),
            Failed({"code": "teacher-unusable", "detail": "ünïcode \n newline"}),
            Crashed("ValueError in llkd/x.py:3 f"),
            Waiting(),
        ],
    )
    def test_a_message_is_one_line_and_survives(self, message: Message) -> None:
        line = encode(message)
        assert line.count(b"\n") == 1
        assert decode(line) == message

    @pytest.mark.parametrize("line", [b"", b"hello", b"[]", b'{"kind":"Other"}', b"\xff", b"7"])
    def test_what_is_none_is_refused(self, line: bytes) -> None:
        with pytest.raises(ValueError, match="not a message"):
            decode(line)

    @pytest.mark.parametrize(
        "part",
        [None, Part(1, 2, first_row=256, rows=256, worker="w", lease_seconds=30.0)],
        ids=["the whole job", "a part"],
    )
    def test_an_assignment_survives(self, part: Part | None) -> None:
        assignment = Assignment(
            tenant_id="default",
            job_id="job_1",
            attempt=2,
            supervisor_pid=3,
            database_url="sqlite://",
            data_dir="/data",
            models_dir=None,
            allowed_models=("minilm",),
            threads=1,
            checkpoint_seconds=30.0,
            part=part,
        )
        assert Assignment.from_json(assignment.to_json()) == assignment

    def test_a_stray_print_is_no_message(self) -> None:
        code = (
            "import os; from worker.child import Mouth, take_stdout; "
            "from worker.protocol import Succeeded; mouth = Mouth(take_stdout()); "
            "print('stray', flush=True); os.system('echo stray'); mouth.say(Succeeded({}))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, text=True
        )
        assert json.loads(done.stdout) == {"kind": "Succeeded", "result": {}}
        assert done.stderr.split() == ["stray", "stray"]


class TestSigterm:
    def test_inside_a_deferred_part_waits_until_it_is_asked_for(self) -> None:
        stop = StopRequest()
        before = signal.getsignal(signal.SIGTERM)
        stop.listen()
        try:
            with stop.deferred():
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(0.01)
                assert stop.requested
            with pytest.raises(Released):
                stop.check()
        finally:
            signal.signal(signal.SIGTERM, before)

    def test_outside_of_one_ends_the_process_as_released(self) -> None:
        code = (
            "import os, signal, time; from worker.stop_request import StopRequest; "
            "StopRequest().listen(); os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 75


class TestWhatACrashTells:
    def test_type_and_place_but_not_the_message(self) -> None:
        try:
            json.loads("{secret")
        except ValueError as error:
            told = place_of(error)
        assert told.startswith("JSONDecodeError in json/decoder.py:")
        assert "secret" not in told


class TestTheSupervisingProcess:
    @pytest.mark.parametrize("module", ["worker.main", "worker.supervisor", "worker.child"])
    def test_imports_no_training_library(self, module: str) -> None:
        code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "[]"


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
