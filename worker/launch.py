"""Starts a child on an assignment, and stays with it until it is gone."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from core.config import Settings
from core.db.session import Database
from core.db.tables import JobRow
from worker.child_environment import child_environment
from worker.child_process import ChildProcess
from worker.devices import Device
from worker.drain import Drain
from worker.hearts import Heart
from worker.leftovers import temporary_folder
from worker.protocol import Advanced, Assignment, Ending
from worker.supervision import Supervision
from worker.verdict import StopCause

log = structlog.get_logger(__name__)

CHILD = (sys.executable, "-m", "worker.child")


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes:
        ending: what it said last; None when it did not say how it ends.
        cause: why it was stopped; None when it was not.
        failed_at: the place, where it is known, without any message.
        advanced: its newest progress.
    """

    exit_code: int
    ending: Ending | None
    cause: StopCause | None
    failed_at: str
    advanced: Advanced | None


class Launcher:
    """What all children of a worker process have in common.

    Args:
        threads: that each child may use.
        command: starts a child; tests put a scripted one in its place.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        drain: Drain,
        threads: int,
        command: Sequence[str],
    ) -> None:
        self._database = database
        self._settings = settings
        self._drain = drain
        self._threads = threads
        self._command = command

    def assignment(self, row: JobRow, *, keys: Mapping[str, str]) -> Assignment:
        """The whole job, for the attempt that stands in its row.

        Args:
            keys: of the job's teachers, by teacher id.
        """
        models_dir = self._settings.models_dir
        return Assignment(
            tenant_id=row.tenant_id,
            job_id=row.id,
            attempt=row.attempt,
            supervisor_pid=os.getpid(),
            database_url=self._settings.database.render_as_string(hide_password=False),
            data_dir=str(self._settings.data_dir.resolve()),
            models_dir=None if models_dir is None else str(models_dir.resolve()),
            allowed_models=self._settings.allowed_models,
            threads=self._threads,
            checkpoint_seconds=self._settings.checkpoint_seconds,
            teacher_hosts=self._settings.teacher_hosts,
            teacher_keys=dict(keys),
            predict_engine=self._settings.predict_engine,
        )

    def run(self, assignment: Assignment, heart: Heart, device: Device, *, log_name: str) -> Ended:
        """Have a child do it; its heart is kept beating meanwhile."""
        log.info("child_starting", device=device.name)
        with temporary_folder(self._settings.data_dir) as scratch:
            child = ChildProcess(
                self._command,
                assignment,
                environment=child_environment(device, threads=self._threads, scratch=scratch),
                log_path=self._settings.data_dir / "logs" / f"{log_name}.log",
            )
            return self._watch(child, heart)

    def _watch(self, child: ChildProcess, heart: Heart) -> Ended:
        supervision = Supervision(
            heart, child, database=self._database, settings=self._settings, drain=self._drain
        )
        try:
            exit_code = supervision.watch()
        finally:
            child.close()
        return Ended(exit_code, child.ending, supervision.cause, child.failed_at(), child.advanced)
