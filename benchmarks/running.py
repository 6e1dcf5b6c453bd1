"""Starts a contender, waits until it answers, and stops it with all its processes."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.contenders import Contender
from benchmarks.light_http import post
from benchmarks.load_generator import Cores
from benchmarks.process_tree import tree_of
from demo.service import HOST, ServiceFailed

# The slowest peers import torch and compile the model first.
READY_WITHIN_S = 600.0
STOP_WITHIN_S = 15.0
LOG_TAIL_LINES = 25

# The same for all: nothing is fetched, nothing is reported to anyone.
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "BENTOML_DO_NOT_TRACK": "True",
    "TOKENIZERS_PARALLELISM": "false",
}


@dataclass(frozen=True)
class Running:
    """A contender that answers: where it listens, and the first of its processes."""

    contender: Contender
    port: int
    pid: int

    def request(self, *texts: str) -> bytes:
        """The bytes of a request about these texts."""
        return post(self.contender.predict_path, self.contender.body(texts))


@contextmanager
def running(contender: Contender, folder: Path, *, cores: Cores | None = None) -> Iterator[Running]:
    """Start it with its log in this folder, on these cores alone if some are given.

    Raises:
        ServiceFailed: it ended, or did not answer in time; with its last log lines.
    """
    port = _free_port()
    log = folder / f"{contender.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [part.replace("{port}", str(port)) for part in contender.command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(contender, port),
            # Away from the project's folder, so that a `.env` of production is not read.
            cwd=folder,
            # Ctrl-C reaches us alone; we stop the servers in order.
            start_new_session=True,
        )
    if cores:
        # Before it has started a thread, or counted its cores.
        os.sched_setaffinity(process.pid, cores)
    try:
        _wait_until_ready(contender, process, port, log)
        yield Running(contender, port, process.pid)
    finally:
        _stop(process)


def _environment(contender: Contender, port: int) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LLKD_")}
    own = {
        name: value.replace("{port}", str(port)) for name, value in contender.environment.items()
    }
    return {**inherited, **QUIET, **own}


def _wait_until_ready(
    contender: Contender, process: "subprocess.Popen[bytes]", port: int, log: Path
) -> None:
    give_up_at = time.monotonic() + READY_WITHIN_S
    url = f"http://{HOST}:{port}{contender.ready_path}"
    while time.monotonic() < give_up_at:
        if process.poll() is not None:
            raise ServiceFailed(f"{contender.name} ended with {process.returncode}.\n{_tail(log)}")
        # Not listening yet; whether it ever will is what the two checks around this decide.
        with suppress(httpx.TransportError):
            if httpx.get(url, timeout=5, trust_env=False).status_code == httpx.codes.OK:
                return
        time.sleep(0.2)
    raise ServiceFailed(
        f"{contender.name} was not ready after {READY_WITHIN_S:.0f} s.\n{_tail(log)}"
    )


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Ask the first process to end; what is left of its tree after a while is killed."""
    tree = tree_of(process.pid)
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_WITHIN_S)
    for pid in reversed(tree):
        # Most are gone; a process id is not given anew within seconds.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join([f"--- {log}", *lines[-LOG_TAIL_LINES:]])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
