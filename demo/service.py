"""Runs the whole service beside us: API and worker on the embedded default, on a free port."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import httpx

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
API, WORKER = "api", "worker"
COMMANDS = {API: ("-m", "app.serve"), WORKER: ("-m", "worker.main")}
# The first start also creates the tables and compiles the packages' bytecode.
READY_WITHIN_S = 120.0
# A worker drains: its child saves a checkpoint before it goes.
STOP_WITHIN_S = 30.0
LOG_TAIL_LINES = 25


class ServiceFailed(Exception):
    """A process of the service ended, or never became ready; carries its last log lines."""


@dataclass(frozen=True)
class Service:
    """A running service: where it listens, where its files are, and its two processes."""

    url: str
    data_dir: Path
    processes: Mapping[str, subprocess.Popen[bytes]]

    def check(self) -> None:
        """Do nothing while both processes live.

        Raises:
            ServiceFailed: one has ended.
        """
        for name, process in self.processes.items():
            code = process.poll()
            if code is not None:
                raise ServiceFailed(f"The {name} ended with {code}.\n{self.log_tail(name)}")

    def log_tail(self, name: str) -> str:
        """The last lines of one process's log, headed by its path."""
        path = _log_path(self.data_dir, name)
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([f"--- {path}", *lines[-LOG_TAIL_LINES:]])


@contextmanager
def running_service(
    data_dir: Path, *, port: int = 0, settings: Mapping[str, str] | None = None
) -> Iterator[Service]:
    """Start API and worker, wait until they are ready, and stop both at the end.

    Args:
        data_dir: keeps the database, artifacts and logs; made if missing.
        port: 0 takes a free one.
        settings: further `LLKD_*` variables.

    Raises:
        ServiceFailed: a process ended, or the API was not ready in time.
    """
    data_dir = data_dir.resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    port = port or _free_port()
    environment = _environment(data_dir, port, settings or {})
    with ExitStack() as stack, terminate_as_interrupt():
        processes: dict[str, subprocess.Popen[bytes]] = {}
        stack.callback(_stop, processes)
        service = Service(f"http://{HOST}:{port}", data_dir, processes)
        # The worker needs the tables, which the API makes when it starts.
        processes[API] = _start(API, data_dir, environment)
        _wait_until_ready(service)
        processes[WORKER] = _start(WORKER, data_dir, environment)
        yield service


def _environment(data_dir: Path, port: int, settings: Mapping[str, str]) -> dict[str, str]:
    """Ours without the caller's `LLKD_*`: the demo always shows the embedded default."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LLKD_")}
    paths = [str(ROOT), *filter(None, [inherited.get("PYTHONPATH")])]
    return {
        **inherited,
        "PYTHONPATH": os.pathsep.join(paths),
        # Everything it needs is installed; nothing is fetched behind the user's back.
        "HF_HUB_OFFLINE": "1",
        "LLKD_DATA_DIR": str(data_dir),
        "LLKD_HOST": HOST,
        "LLKD_PORT": str(port),
        **settings,
    }


def _start(name: str, data_dir: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with _log_path(data_dir, name).open("wb") as log:
        return subprocess.Popen(
            [sys.executable, *COMMANDS[name]],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            # Away from the project's folder, so that a `.env` of production is not read.
            cwd=data_dir,
            # Ctrl-C reaches us alone; we stop the two in order.
            start_new_session=True,
        )


def _wait_until_ready(service: Service) -> None:
    give_up_at = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < give_up_at:
        service.check()
        try:
            answer = httpx.get(f"{service.url}/readyz", timeout=5, trust_env=False)
            if answer.status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            # Not listening yet; whether it ever will is what check() and the limit decide.
            pass
        time.sleep(0.1)
    raise ServiceFailed(f"Not ready after {READY_WITHIN_S:.0f} s.\n{service.log_tail(API)}")


def _stop(processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    """Ask all to end, then make them; returns when they are gone."""
    for process in processes.values():
        process.terminate()
    give_up_at = time.monotonic() + STOP_WITHIN_S
    for process in processes.values():
        try:
            process.wait(max(0.1, give_up_at - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """Let SIGTERM unwind like Ctrl-C: without it the two processes would outlive us."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _log_path(data_dir: Path, name: str) -> Path:
    return data_dir / f"{name}.log"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
