"""Claims a job, has a child do it, and records how that ended."""

import os
import shutil
import socket
import sys
from collections.abc import Mapping, Sequence
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
from llkd.process_environment import TRAINING_ENVIRONMENT
from worker.child_process import ChildProcess
from worker.devices import Device, threads_per_slot
from worker.drain import Drain
from worker.durability import Abandoned, durably
from worker.faults import FaultPoints
from worker.leftovers import temporary_folder
from worker.problems import teacher_silent
from worker.protocol import Assignment, checkpoints_dir
from worker.supervision import Supervision
from worker.teacher_keys import open_keys
from worker.verdict import Crash, Finish, LeaveAlone, Park, Release, Verdict, judge

log = structlog.get_logger(__name__)

CHILD = (sys.executable, "-m", "worker.child")
FIRST_STAGE = "label"
# How soon a job is tried again whose teacher's key this worker cannot open.
KEY_RETRY_S = 900.0
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "RAYON_NUM_THREADS",
)


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
        self._command = command
        self._vault = open_vault(settings.secret_keys, data_dir=settings.data_dir)
        self._threads = threads_per_slot(settings.torch_threads, slots)
        self._worker = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:6]}"

    def run_next(self, device: Device) -> bool:
        """Run the best ready job of this device's queues to its end; False when there is none."""
        with self._database.write() as session:
            row = EngineRepository(session).claim(
                queues=device.queues,
                worker=f"{self._worker}:{device.name}",
                lease=self._settings.lease,
            )
        if row is None:
            return False
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
        log.info("child_starting", device=device.name)
        with temporary_folder(self._settings.data_dir) as scratch:
            return self._watch(row, device, scratch, keys=keys)

    def _watch(
        self, row: JobRow, device: Device, scratch: str, *, keys: Mapping[str, str]
    ) -> Verdict:
        child = ChildProcess(
            self._command,
            self._assignment(row, keys),
            environment=self._environment(device, scratch),
            log_path=self._settings.data_dir / "logs" / f"{row.id}.log",
        )
        supervision = Supervision(
            row,
            child,
            database=self._database,
            settings=self._settings,
            drain=self._drain,
        )
        try:
            exit_code = supervision.watch()
        finally:
            child.close()
        stage = child.advanced.detail.get("stage") if child.advanced else row.stage
        return judge(
            exit_code,
            ending=child.ending,
            cause=supervision.cause,
            failed_at=child.failed_at(),
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

    def _assignment(self, row: JobRow, keys: Mapping[str, str]) -> Assignment:
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
        )

    def _environment(self, device: Device, scratch: str) -> dict[str, str]:
        # Settings go down the pipe: the environment of a process can be read by others.
        kept = {key: value for key, value in os.environ.items() if not key.startswith("LLKD_")}
        threads = dict.fromkeys(THREAD_VARIABLES, str(self._threads))
        return {
            **kept,
            **threads,
            **TRAINING_ENVIRONMENT,
            # A killed child cannot tidy up; whoever outlives it does.
            "TMPDIR": scratch,
            "CUDA_VISIBLE_DEVICES": device.visible,
            "PYTHONFAULTHANDLER": "1",
        }


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
