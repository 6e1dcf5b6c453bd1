"""One child under one supervisor: its heart is kept beating, and it is watched and stopped."""

import logging
import shutil
import signal
import time
from pathlib import Path

import structlog

from core.config import Settings
from core.db.repositories.claims import GhostWorker
from core.db.session import Database
from worker.child_process import ChildProcess
from worker.drain import Drain
from worker.durability import OUTAGE
from worker.hearts import Heart
from worker.protocol import Json
from worker.verdict import StopCause

log = structlog.get_logger(__name__)

# How soon the supervisor notices a drain, a dead child or a stall; costs no query.
LOOK_S = 0.25
# How soon a heartbeat that met an outage is tried again.
RETRY_S = 1.0
# Past this share of the lease without a renewal, another worker may soon hold the job.
ALARMING_SHARE = 0.8


class Supervision:
    """Watches one child until it ends; then tells why it was stopped, if it was.

    An outage of the database stops nothing: the child goes on training, and the next
    heartbeat that comes through renews the lease, or finds that the job is another's.
    """

    def __init__(
        self,
        heart: Heart,
        child: ChildProcess,
        *,
        database: Database,
        settings: Settings,
        drain: Drain,
    ) -> None:
        self.cause: StopCause | None = None
        self._heart = heart
        self._published = heart.published
        self._saved: list[Json] = []
        self._child = child
        self._database = database
        self._settings = settings
        self._drain = drain
        self._renewed_at = time.monotonic()
        self._next_beat = self._renewed_at + settings.heartbeat_seconds
        self._killed_from: float | None = None

    def watch(self) -> int:
        """Beat and look until the child has ended; returns its exit code."""
        while (code := self._child.exit_code()) is None:
            self._child.news.wait(LOOK_S)
            self._child.news.clear()
            self._saved += self._child.take_checkpoints()
            if self._saved or time.monotonic() >= self._next_beat:
                self._beat()
            self._look()
        self._saved += self._child.take_checkpoints()
        # What the child did last must count before its end is judged: a crash after
        # progress is not the same as a crash without any.
        if self.cause is not StopCause.GHOST:
            self._beat()
        return code

    def _beat(self) -> None:
        newest = self._saved[-1] if self._saved else None
        try:
            with self._database.write() as session:
                cause = self._heart.beat(session, said=self._child.advanced, checkpoint=newest)
        except GhostWorker:
            self._stop(StopCause.GHOST)
        except OUTAGE as error:
            self._missed(error)
        else:
            self._renewed_at = time.monotonic()
            self._next_beat = self._renewed_at + self._settings.heartbeat_seconds
            self._forget_superseded(newest)
            if cause is not None:
                self._stop(cause)

    def _missed(self, error: Exception) -> None:
        silent = time.monotonic() - self._renewed_at
        self._next_beat = time.monotonic() + min(RETRY_S, self._settings.heartbeat_seconds)
        alarming = silent > ALARMING_SHARE * self._settings.lease.total_seconds()
        log.log(
            logging.ERROR if alarming else logging.WARNING,
            "heartbeat_missed",
            silent_seconds=round(silent, 1),
            error=type(error).__name__,
        )

    def _look(self) -> None:
        now = time.monotonic()
        if self._killed_from is not None:
            if now >= self._killed_from:
                self._child.signal_group(signal.SIGKILL)
        elif self._drain.is_set():
            self._stop(StopCause.DRAIN)
        elif now - self._child.advanced_at > self._settings.stalled_seconds:
            self._stop(StopCause.STALL)

    def _stop(self, cause: StopCause) -> None:
        """Ask the child to end; a lost job or a cancel outweighs the cause there was."""
        if cause in {StopCause.GHOST, StopCause.CANCEL} or self.cause is None:
            self.cause = cause
        if self._killed_from is None:
            log.info("child_stopping", cause=cause.value)
            self._killed_from = time.monotonic() + self._settings.kill_grace_seconds
            self._child.signal_group(signal.SIGTERM)

    def _forget_superseded(self, newest: Json | None) -> None:
        """Delete the checkpoints that the row named until now, and those it never will."""
        if newest is None:
            return
        superseded = [*self._saved[:-1], *([self._published] if self._published else [])]
        for pointer in superseded:
            # Finished parts of predictions have none: they are artifacts, which are collected.
            if "uri" in pointer and pointer["uri"] != newest.get("uri"):
                shutil.rmtree(Path(pointer["uri"]), ignore_errors=True)
        self._published, self._saved = newest, []
