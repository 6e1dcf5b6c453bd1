"""A reader who does what a page says, in a folder of their own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.docs.pages import Command, Snippet, read_commands, shows
from tests.servers import free_port

# The longest command of a page is a whole job, on a machine that may be busy.
PATIENCE_S = 900.0
# What a page calls the service; each reader has one of their own.
ADDRESS = "127.0.0.1:8000"
START = "llkd up"
# What whoever runs the tests has done already.
DONE_BEFORE = frozenset({"./run setup", ". .venv/bin/activate"})
# Neither runs: how something looks, and what is drawn.
SHOWN_ONLY = frozenset({"text", "json"})


class Reader:
    """Runs a page's snippets in order; what one leaves, the next finds.

    Args:
        replaced: addresses that a page names to those that answer here.
    """

    def __init__(self, folder: Path, *, replaced: Mapping[str, str]) -> None:
        self.folder = folder
        self.port = free_port()
        self._log = folder / "service.log"
        self._replaced = {**replaced, ADDRESS: f"127.0.0.1:{self.port}"}
        self._started: list[subprocess.Popen[bytes]] = []
        bin_folder = Path(sys.executable).parent
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LLKD_")},
            "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
            "LLKD_PORT": str(self.port),
            "LLKD_URL": f"http://127.0.0.1:{self.port}",
            "LLKD_DATA_DIR": str(folder / "var"),
            "LLKD_TORCH_THREADS": "1",
            "LLKD_POLL_SECONDS": "0.5",
            "LLKD_HEARTBEAT_SECONDS": "0.5",
            "HF_HUB_OFFLINE": "1",
            "PYTHONWARNINGS": "ignore",
            "COLUMNS": "100",
        }

    def follow(self, snippet: Snippet) -> None:
        """Do what one snippet says, and fail where it does not do what the page shows."""
        body = self._here(snippet.body)
        match snippet.language:
            case "console":
                for command in read_commands(body):
                    self._run(command, snippet)
            case "python":
                self._check(snippet, [sys.executable, "-c", body], shown="")
            case _ if snippet.name:
                (self.folder / snippet.name).write_text(body, encoding="utf-8")
            case language if language in SHOWN_ONLY:
                pass
            case language:
                raise AssertionError(
                    f"line {snippet.line}: nobody knows how to follow {language!r}"
                )

    def leave(self) -> None:
        """Stop what the page started and left running."""
        for process in self._started:
            process.terminate()
        for process in self._started:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=30)
            process.kill()
            process.wait()

    def _run(self, command: Command, snippet: Snippet) -> None:
        if command.text in DONE_BEFORE:
            return
        if command.text == START:
            self._start(START)
            self._wait_until_ready()
        elif command.text.endswith(" &"):
            self._start(command.text.removesuffix(" &"))
        elif command.text.startswith("export "):
            self._export(command.text)
        else:
            self._check(snippet, ["bash", "-ec", command.text], shown=command.shown)

    def _check(self, snippet: Snippet, command: list[str], *, shown: str) -> None:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        told = f"line {snippet.line}: {command[-1]}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, told
        assert shows(shown, done.stdout), f"{told}\nis not what the page shows:\n{shown}"

    def _export(self, command: str) -> None:
        name = command.removeprefix("export ").partition("=")[0]
        done = subprocess.run(
            ["bash", "-ec", f'{command}; printf %s "${name}"'],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
        )
        self._environment[name] = done.stdout

    def _start(self, command: str) -> None:
        with self._log.open("ab") as log:
            started = subprocess.Popen(
                command.split(),
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._started.append(started)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            assert self._started[-1].poll() is None, self._log.read_text()
            with suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{self.port}/readyz").is_success:
                    return
            time.sleep(0.2)
        raise AssertionError(f"the service did not start:\n{self._log.read_text()}")

    def _here(self, text: str) -> str:
        for told, here in self._replaced.items():
            text = text.replace(told, here)
        return text


@contextmanager
def reading(folder: Path, *, replaced: Mapping[str, str]) -> Iterator[Reader]:
    """A reader, whose service stops with the block."""
    reader = Reader(folder, replaced=replaced)
    try:
        yield reader
    finally:
        reader.leave()
