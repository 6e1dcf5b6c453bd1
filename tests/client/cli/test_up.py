"""`llkd up` runs the service as an operator leaves it: whole, or not at all."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from llkd_client.cli import up as up_command
from tests.servers import free_port

LLKD = str(Path(sys.prefix) / "bin" / "llkd")
PATIENCE_S = 240.0


@contextmanager
def up(folder: Path, *, port: int) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "HF_HUB_OFFLINE": "1",
        "LLKD_DATA_DIR": str(folder / "var"),
        "LLKD_PORT": str(port),
        "LLKD_KILL_GRACE_SECONDS": "2",
    }
    (folder / "app").mkdir()
    (folder / "app" / "__init__.py").write_text("raise SystemExit('not the service')\n")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [LLKD, "up"], env=environment, cwd=folder, stdout=log, stderr=log, process_group=0
        )
    try:
        yield process
    finally:
        for pid in [process.pid, *children(process.pid)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def until(happened, *, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not happened():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < give_up, log.read_text()
        time.sleep(0.2)


def is_ready(port: int) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).status_code == 200
    return False


def is_running(pid: int) -> bool:
    with suppress(OSError):
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return False


COUNTS_SIGNALS = """
import signal, sys, time
from pathlib import Path
told = Path(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: told.write_text(told.read_text() + "x"))
told.write_text("")
until = time.monotonic() + 30
while time.monotonic() < until:
    time.sleep(0.1)
    if told.read_text():
        # Long enough for a second one.
        until = min(until, time.monotonic() + 1)
"""


@pytest.fixture
def _handlers_as_they_were() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


class TestSignals:
    @pytest.mark.usefixtures("_handlers_as_they_were")
    def test_each_reaches_both_processes_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        told = {module: tmp_path / module for module in ("app.serve", "worker.main")}

        def command(module: str, *_: str) -> list[str]:
            if module == "migrations":
                return [sys.executable, "-c", ""]
            return [sys.executable, "-c", COUNTS_SIGNALS, str(told[module])]

        def interrupt() -> None:
            while not all(file.exists() for file in told.values()):
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGINT)

        monkeypatch.setattr(up_command, "_command", command)
        threading.Thread(target=interrupt, daemon=True).start()
        assert up_command._Service().run() == 0
        assert [file.read_text() for file in told.values()] == ["x", "x"]


class TestUp:
    def test_ctrl_c_in_its_terminal_ends_both_processes_and_is_no_failure(self, tmp_path: Path):
        port = free_port()
        with up(tmp_path, port=port) as process:
            until(lambda: is_ready(port), process=process, log=tmp_path / "log")
            pids = children(process.pid)
            assert len(pids) == 2
            # To the whole group, as a terminal does: the two are in groups of their own.
            os.killpg(process.pid, signal.SIGINT)
            assert process.wait(PATIENCE_S) == 0
            assert not any(map(is_running, pids))

    def test_an_api_that_cannot_start_takes_the_worker_with_it(self, tmp_path: Path):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            with up(tmp_path, port=taken.getsockname()[1]) as process:
                pids: set[int] = set()

                def has_ended() -> bool:
                    pids.update(children(process.pid))
                    return process.poll() is not None

                give_up = time.monotonic() + PATIENCE_S
                while not has_ended():
                    assert time.monotonic() < give_up
                    time.sleep(0.05)
                assert process.returncode == 1
                assert not any(map(is_running, pids))
        assert "stopping the other" in (tmp_path / "log").read_text()
