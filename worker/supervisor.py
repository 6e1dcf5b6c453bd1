"""Claims a job, or a part of one, has a child do it, and records how that ended."""

import os
import shutil
import socket
<<<<<<< HEAD
from collections.abc import Sequence
=======
import sys
from collections.abc import Mapping, Sequence
>>>>>>> 7cfdcee67813a9382d27e289b7d3443b4a166111
from datetime import timedelta
from typing import assert_never
from uuid import uuid4

import structlog
from sqlalchemy.orm import Session

from core.config import Settings
from core.db.repositories.claims import Claim, GhostWorker
from core.db.repositories.engine import EngineRepository
from core.db.repositories.shards import ShardRepository
from core.db.session import Database
<<<<<<< HEAD
from core.db.tables import JobRow, JobShardRow
from worker.assistance import Assistance
=======
from core.db.tables import JobRow
from core.errors import ServiceError
from core.secret_key_file import open_vault
from worker.child_process import ChildProcess
>>>>>>> 7cfdcee67813a9382d27e289b7d3443b4a166111
from worker.devices import Device, threads_per_slot
from worker.drain import Drain
from worker.durability import Abandoned, durably
from worker.faults import FaultPoints
<<<<<<< HEAD
from worker.hearts import JobHeart
from worker.launch import CHILD, Launcher
from worker.protocol import checkpoints_dir
from worker.verdict import Crash, Finish, LeaveAlone, Release, Verdict, judge
=======
from worker.leftovers import temporary_folder
from worker.problems import teacher_silent
from worker.protocol import Assignment, checkpoints_dir
from worker.supervision import Supervision
from worker.teacher_keys import open_keys
from worker.verdict import Crash, Finish, LeaveAlone, Park, Release, Verdict, judge
>>>>>>> 7cfdcee67813a9382d27e289b7d3443b4a166111

log = structlog.get_logger(__name__)

FIRST_STAGE = "label"
<<<<<<< HEAD
=======
# How soon a job is tried again whose teacher's key this worker cannot open.
KEY_RETRY_S = 900.0
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "RAYON_NUM_THREADS",
)
>>>>>>> 7cfdcee67813a9382d27e289b7d3443b4a166111


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
<<<<<<< HEAD
        self._launcher = Launcher(
            database,
            settings,
            drain=drain,
            threads=threads_per_slot(settings.torch_threads, slots),
            command=command,
        )
        self._assistance = Assistance(database, settings, launcher=self._launcher, drain=drain)
=======
        self._command = command
        self._vault = open_vault(settings.secret_keys, data_dir=settings.data_dir)
        self._threads = threads_per_slot(settings.torch_threads, slots)
>>>>>>> 7cfdcee67813a9382d27e289b7d3443b4a166111
        self._worker = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:6]}"

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
            part = self._claim_part(session, device) if row is None else None
        if part is not None:
            return self._assistance.run(*part, device)
        if row is None:
            return False
        FaultPoints(os.environ, attempt=row.attempt).reach("claim.after_commit")
        with structlog.contextvars.bound_contextvars(job_id=row.id, attempt=row.attempt):
            # A drain that began during the claim finds the job not yet started.
            verdict = Release("drain") if self._drain.is_set() else self._run(row, device)
            log.info("child_ended", verdict=type(verdict).__name__)
            self._record(Claim(row.id, row.attempt), verdict)
        return True

<<<<<<< HEAD
    def _claim_part(self, session: Session, device: Device) -> tuple[JobRow, JobShardRow] | None:
        shards = ShardRepository(session)
        shard = shards.claim(
            queues=device.queues,
            # No two times alike: what is left of an earlier one is not taken for this one's.
            worker=f"{self._worker}:{device.name}:{uuid4().hex[:6]}",
            lease=self._settings.lease,
        )
        return None if shard is None else (shards.job_of(shard), shard)

    def _run(self, row: JobRow, device: Device) -> Verdict:
        heart = JobHeart(row, lease=self._settings.lease)
        ended = self._launcher.run(self._launcher.assignment(row), heart, device, log_name=row.id)
        stage = ended.advanced.detail.get("stage") if ended.advanced else row.stage
=======
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
>>>>>>> 7cfdcee67813a9382d27e289b7d3443b4a166111
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

<<<<<<< HEAD
=======
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
            # A killed child cannot tidy up; whoever outlives it does.
            "TMPDIR": scratch,
            "CUDA_VISIBLE_DEVICES": device.visible,
            # Without it cuBLAS may choose another order of additions on every run.
            "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
            "TOKENIZERS_PARALLELISM": "false",
            # Threads that wait by spinning take the cores from the API beside them, and
            # from each other.
            "OMP_WAIT_POLICY": "PASSIVE",
            "PYTHONFAULTHANDLER": "1",
        }

>>>>>>> 7cfdcee67813a9382d27e289b7d3443b4a166111

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
