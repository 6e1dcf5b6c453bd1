"""Claims a job, has a child do it, and records how that ended; without one, the slot helps."""

import os
import shutil
import socket
from collections.abc import Sequence
from datetime import timedelta
from typing import assert_never
from uuid import uuid4

import structlog
from sqlalchemy.orm import Session

from core.config import Settings
from core.db.repositories.engine import Claim, EngineRepository, GhostWorker
from core.db.session import Database
from core.db.tables import JobRow
from core.errors import ServiceError
from core.secret_key_file import open_vault
from worker.assistance import Assistance
from worker.devices import Device, threads_per_slot
from worker.drain import Drain
from worker.durability import Abandoned, durably
from worker.faults import FaultPoints
from worker.hearts import JobHeart
from worker.launch import CHILD, Launcher
from worker.problems import teacher_silent
from worker.protocol import checkpoints_dir
from worker.teacher_keys import open_keys
from worker.verdict import Crash, Finish, LeaveAlone, Park, Release, Verdict, judge

log = structlog.get_logger(__name__)

FIRST_STAGE = "label"
# How soon a job is tried again whose teacher's key this worker cannot open.
KEY_RETRY_S = 900.0


class Supervisor:
    """What a slot does with its device; one instance serves every slot of a process.

    Args:
        slots: how many jobs run at once here; they share the cores.
        command: starts a child; tests put a scripted one in its place.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        slots: int,
        drain: Drain,
        command: Sequence[str] = CHILD,
    ) -> None:
        self._database = database
        self._settings = settings
        self._drain = drain
        self._vault = open_vault(settings.secret_keys, data_dir=settings.data_dir)
        self._worker = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:6]}"
        self._launcher = Launcher(
            database,
            settings,
            drain=drain,
            threads=threads_per_slot(settings.torch_threads, slots),
            command=command,
        )
        self._assistance = Assistance(
            database, settings, worker=self._worker, launcher=self._launcher, drain=drain
        )

    def run_next(self, device: Device) -> bool:
        """Run the best ready job of this device's queues to its end, or help with one that runs.

        Returns:
            False when there is neither, and after help that failed: the slot waits for its bell.
        """
        with self._database.write() as session:
            row = EngineRepository(session).claim(
                queues=device.queues,
                worker=f"{self._worker}:{device.name}",
                lease=self._settings.lease,
            )
        if row is None:
            return self._assistance.help_next(device)
        claim = Claim(row.id, row.attempt)
        FaultPoints(os.environ, attempt=row.attempt).reach("claim.after_commit")
        with structlog.contextvars.bound_contextvars(job_id=row.id, attempt=row.attempt):
            # A drain that began during the claim finds the job not yet started.
            verdict = Release("drain") if self._drain.is_set() else self._run(row, device)
            log.info("child_ended", verdict=type(verdict).__name__)
            self._record(claim, verdict)
        return True

    def _run(self, row: JobRow, device: Device) -> Verdict:
        try:
            keys = open_keys(self._database, self._vault, row)
        except ServiceError as error:
            # Another worker may have the key, or this one after its operator mended it.
            log.error("teacher_key_unreadable", code=error.code)
            silent = teacher_silent("teacher-auth", error.detail, stage=FIRST_STAGE)
            return Park(silent, KEY_RETRY_S)
        ended = self._launcher.run(
            self._launcher.assignment(row, keys=keys),
            JobHeart(row, lease=self._settings.lease),
            device,
            log_name=row.id,
        )
        stage = ended.advanced.detail.get("stage") if ended.advanced else row.stage
        return judge(
            ended.exit_code,
            ending=ended.ending,
            cause=ended.cause,
            failed_at=ended.failed_at,
            stage=stage or FIRST_STAGE,
        )

    def _record(self, claim: Claim, verdict: Verdict) -> None:
        faults = FaultPoints(os.environ, attempt=claim.attempt)
        faults.reach("finish.before_commit")
        try:
            over = durably(
                self._database,
                lambda session: _write(session, claim, verdict),
                give_up=lambda: self._drain.lasted(self._settings.kill_grace_seconds),
            )
        except GhostWorker:
            log.warning("job_lost", reason="another attempt holds it")
        except Abandoned:
            log.warning("end_unrecorded", reason="the lease will run out instead")
        else:
            faults.reach("finish.after_commit")
            if over:
                folder = checkpoints_dir(self._settings.data_dir.resolve(), claim.job_id)
                shutil.rmtree(folder, ignore_errors=True)


def _write(session: Session, claim: Claim, verdict: Verdict) -> bool:
    """Record the verdict; returns whether the job is over."""
    engine = EngineRepository(session)
    match verdict:
        case Finish(state=state, result=result, error=error):
            engine.finish(claim, state=state, result=result, error=error)
            return True
        case Release(reason=reason):
            engine.release(claim, delay=timedelta(0), reason=reason)
            return False
        case Park(problem=problem, after_s=after_s):
            delay = timedelta(seconds=after_s)
            return engine.park(claim, delay=delay, problem=problem).is_terminal
        case Crash(detail=detail):
            return engine.crash(claim, detail=detail).is_terminal
        case LeaveAlone():
            return False
        case _:
            assert_never(verdict)
