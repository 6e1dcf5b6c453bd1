"""`llkd up` runs the service as an operator leaves it: whole, or not at all."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

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
