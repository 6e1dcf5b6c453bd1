"""A child as its supervisor sees it: what it said last, how it ended, and how to stop it."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import structlog

from worker.bounded_log import BoundedLog
from worker.protocol import (
    Advanced,
    Assignment,
    CheckpointSaved,
    Crashed,
    Ending,
    Json,
    Waiting,
    decode,
)

log = structlog.get_logger(__name__)
MAX_LINE = 4 * 1024 * 1024
# A process that left the child's group can hold its pipes open; we do not wait for that.
LAST_WORDS_S = 2.0


class ChildProcess:
    """One running child in a session of its own.

    Only the newest progress is kept, so a supervisor that waits for its database never
    makes the child wait: its pipe is always read.
    """

    def __init__(
        self,
        command: Sequence[str],
        assignment: Assignment,
        *,
        environment: Mapping[str, str],
        log_path: Path,
    ) -> None:
        self._log = BoundedLog(log_path)
        # Linux ends the child with the *thread* that started it, so it must be started
        # by the thread that supervises it.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            start_new_session=True,
        )
        self.pid = self._process.pid
        self.news = threading.Event()
        self.advanced: Advanced | None = None
        self.advanced_at = time.monotonic()
        self.ending: Ending | None = None
        self._checkpoints: list[Json] = []
        self._lock = threading.Lock()
        self._readers = [
            threading.Thread(target=act, args=(pipe,), daemon=True)
            for act, pipe in (
                (self._listen, self._process.stdout),
                (self._record, self._process.stderr),
            )
        ]
        for reader in self._readers:
            reader.start()
        self._tell(assignment)

    def exit_code(self) -> int | None:
        """None while it runs; negative when a signal ended it. All it said has been read then."""
        code = self._process.poll()
        if code is not None:
            self._hear_out()
        return code

    def take_checkpoints(self) -> list[Json]:
        """Pointers said since the last call, oldest first."""
        with self._lock:
            taken, self._checkpoints = self._checkpoints, []
        return taken

    def failed_at(self) -> str:
        """Where it failed, from its own words or its traceback; without any message or text."""
        if isinstance(self.ending, Crashed):
            return self.ending.where
        return self._log.places()

    def signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def close(self) -> None:
        """End whatever is left of the child and of its own children."""
        self.signal_group(signal.SIGKILL)
        self._process.wait()
        self._hear_out()
        for reader, pipe in zip(
            self._readers, (self._process.stdout, self._process.stderr), strict=True
        ):
            if not reader.is_alive() and pipe is not None:
                pipe.close()
        self._log.close()

    def _hear_out(self) -> None:
        """Read to the end what a dead child left in its pipes."""
        # Its own children hold the same pipes open, and none of them outlives it.
        self.signal_group(signal.SIGKILL)
        for reader in self._readers:
            reader.join(LAST_WORDS_S)

    def _tell(self, assignment: Assignment) -> None:
        assert self._process.stdin is not None
        # A child that died before it read is seen by its exit code.
        with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:
            pipe.write(assignment.to_json().encode())

    def _listen(self, pipe: IO[bytes]) -> None:
        while line := pipe.readline(MAX_LINE):
            try:
                message = decode(line)
            except ValueError as error:
                log.warning("child_said_nonsense", error=str(error))
                continue
            match message:
                case Advanced():
                    self._note(message)
                case Waiting():
                    self.advanced_at = time.monotonic()
                case CheckpointSaved(pointer=pointer):
                    with self._lock:
                        self._checkpoints.append(pointer)
                    self.news.set()
                case _:
                    self.ending = message
        self.news.set()

    def _note(self, message: Advanced) -> None:
        if self.advanced is None or message.progress > self.advanced.progress:
            self.advanced_at = time.monotonic()
        self.advanced = message

    def _record(self, pipe: IO[bytes]) -> None:
        while line := pipe.readline(65536):
            self._log.write(line)
