"""`llkd up`: the API and a worker of the installed service, until Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from types import FrameType

import typer

from llkd_client.cli.exit_codes import FAILED, USAGE
from llkd_client.cli.output import say

SERVICE = "llkd-service"
# Without them a worker can teach no student.
TRAINING = ("torch", "transformers")
LOOK_EVERY_S = 0.2


def up() -> None:
    """Migrate the database, then run the API and a worker until Ctrl-C; a second one hurries."""
    missing = _missing()
    if missing:
        say(
            f"llkd up runs the service, which needs {', '.join(missing)} beside this command:\n"
            f"  pip install '{SERVICE}[worker,offline]'\n"
            "A checkout of the service has all of it: ./run up"
        )
        raise typer.Exit(USAGE)
    raise typer.Exit(_Service().run())


class _Service:
    """The two processes, and what was asked of them."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        self._signals = 0

    def run(self) -> int:
        """Until one of them dies or a signal comes: then both are stopped, and waited for."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Whoever started us with nohup wants a signal ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)
        migrated = subprocess.run(
            _command("migrations", "upgrade"), env=_environment(), check=False
        )
        # First: a terminal's Ctrl-C ends the migration, too, and that is no failure.
        if self._is_asked():
            return 0
        if migrated.returncode != 0:
            return FAILED
        for module in ("app.serve", "worker.main"):
            # A terminal sends Ctrl-C to its whole foreground group. A worker that heard it there
            # and from us too would take the second signal for "at once" and give up its job.
            self._processes.append(
                subprocess.Popen(_command(module), env=_environment(), process_group=0)
            )
        while not self._is_asked() and all(process.poll() is None for process in self._processes):
            time.sleep(LOOK_EVERY_S)
        failed = not self._is_asked()
        if failed:
            say("llkd: the API or the worker died; stopping the other")
            self._stop()
        self._see_out()
        return FAILED if failed else 0

    def _see_out(self) -> None:
        """Hand each signal on once, until both have ended: at a second a worker drops its job."""
        handed_on = 0
        while any(process.poll() is None for process in self._processes):
            if handed_on < self._signals:
                handed_on += 1
                self._stop()
            time.sleep(LOOK_EVERY_S)

    def _is_asked(self) -> bool:
        return self._signals > 0

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        # Counted here, handed on by the loop: between two starts only one process is known.
        self._signals += 1

    def _stop(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.terminate()


def _missing() -> list[str]:
    try:
        version(SERVICE)
    except PackageNotFoundError:
        return [SERVICE]
    return [name for name in TRAINING if find_spec(name) is None]


def _command(module: str, *arguments: str) -> list[str]:
    # -P: a folder `app` where we are started is not the service.
    return [sys.executable, "-P", "-m", module, *arguments]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONSAFEPATH": "1"}
