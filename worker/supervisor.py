"""Claims a job, or a part of one, has a child do it, and records how that ended."""

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
from core.db.repositories.claims import Claim, GhostWorker
from core.db.repositories.engine import EngineRepository
from core.db.repositories.shards import ShardRepository
from core.db.session import Database
from core.db.tables import JobRow, JobShardRow
from worker.assistance import Assistance
from worker.devices import Device, threads_per_slot
from worker.drain import Drain
from worker.durability import Abandoned, durably
from worker.faults import FaultPoints
from worker.hearts import JobHeart
from worker.launch import CHILD, Launcher
from worker.protocol import checkpoints_dir
from worker.verdict import Crash, Finish, LeaveAlone, Release, Verdict, judge

log = structlog.get_logger(__name__)

FIRST_STAGE = "label"


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
        self._launcher = Launcher(
            database,
            settings,
            drain=drain,
            threads=threads_per_slot(settings.torch_threads, slots),
            command=command,
        )
        self._assistance = Assistance(database, settings, launcher=self._launcher, drain=drain)
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
        case Crash(detail=detail):
            return engine.crash(claim, detail=detail).is_terminal
        case LeaveAlone():
            return False
        case _:
            assert_never(verdict)
