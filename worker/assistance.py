"""Has a child fill shards of a job that another worker runs, and records how that ended.

Nothing here touches the job: an assistant that crashes, stalls or drains leaves a shard
that is open again.
"""

import os
import time
from dataclasses import replace
from typing import assert_never
from uuid import uuid4

import structlog
from sqlalchemy.orm import Session

from core.config import Settings
from core.db.repositories.claims import Claim, Share
from core.db.repositories.shards import ShardRepository
from core.db.session import Database
from core.db.tables import JobRow, JobShardRow
from worker.devices import Device
from worker.drain import Drain
from worker.durability import Abandoned, durably
from worker.hearts import ShardHeart
from worker.launch import Launcher
from worker.protocol import Assignment, Part
from worker.verdict import (
    Crash,
    LeaveAlone,
    NothingLeft,
    Release,
    ShardVerdict,
    judge_assistant,
)

log = structlog.get_logger(__name__)

# How long a slot whose help failed offers none: a host without the job's model, or without
# the memory for it, would take one shard after another from those who can.
REST_S = 60.0


class Assistance:
    """What a slot does that found no ready job.

    Args:
        worker: the name of this process among workers.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        worker: str,
        launcher: Launcher,
        drain: Drain,
    ) -> None:
        self._database = database
        self._settings = settings
        self._worker = worker
        self._launcher = launcher
        self._drain = drain
        # By device.
        self._rested_at: dict[str, float] = {}

    def help_next(self, device: Device) -> bool:
        """Fill shards of the best job that has open ones; False without one, or if it failed."""
        if time.monotonic() < self._rested_at.get(device.name, 0.0):
            return False
        with self._database.write() as session:
            shards = ShardRepository(session)
            shard = shards.claim(
                kind=device.kind,
                # No two times alike: what is left of an earlier one is not taken for this one's.
                worker=f"{self._worker}:{device.name}:{uuid4().hex[:6]}",
                lease=self._settings.lease,
            )
            row = None if shard is None else shards.job_of(shard)
        if shard is None or row is None:
            return False
        assert shard.lease_owner is not None, "it was just claimed"
        share = Share(Claim(row.id, shard.job_attempt), shard.lease_owner)
        with structlog.contextvars.bound_contextvars(job_id=row.id, attempt=shard.job_attempt):
            # A drain that began during the claim finds the shard not yet begun.
            begun = not self._drain.is_set()
            verdict = self._fill(row, shard, share, device) if begun else Release("drain")
            log.info("assistant_ended", verdict=type(verdict).__name__, first=shard.shard)
            self._record(share, verdict)
        if isinstance(verdict, Crash):
            self._rested_at[device.name] = time.monotonic() + REST_S
            return False
        return True

    def _fill(self, row: JobRow, shard: JobShardRow, share: Share, device: Device) -> ShardVerdict:
        ended = self._launcher.run(
            self._assignment(row, shard, share),
            ShardHeart(share, lease=self._settings.lease, queues=device.queues),
            device,
            # Beside the owner's log, which may be of this very process.
            log_name=f"{row.id}-assistant-{os.getpid()}-{device.name}",
        )
        return judge_assistant(
            ended.exit_code, ending=ended.ending, cause=ended.cause, failed_at=ended.failed_at
        )

    def _assignment(self, row: JobRow, shard: JobShardRow, share: Share) -> Assignment:
        part = Part(
            shard.shard,
            shard.attempt,
            first_row=shard.first_row,
            rows=shard.rows,
            worker=share.worker,
            lease_seconds=self._settings.lease.total_seconds(),
        )
        # Teachers that are shared stand on this host: there is no key to open.
        whole = self._launcher.assignment(row, keys={})
        # The job may be another attempt's by now; the assistant is this one's.
        return replace(whole, attempt=share.job.attempt, part=part)

    def _record(self, share: Share, verdict: ShardVerdict) -> None:
        try:
            durably(
                self._database,
                lambda session: _write(session, share, verdict),
                give_up=lambda: self._drain.lasted(self._settings.kill_grace_seconds),
            )
        except Abandoned:
            log.warning("end_unrecorded", reason="the lease will run out instead")


def _write(session: Session, share: Share, verdict: ShardVerdict) -> None:
    match verdict:
        case Release() | LeaveAlone() | NothingLeft():
            # What is not its own any more stays as it is.
            ShardRepository(session).release(share)
        case Crash():
            ShardRepository(session).crash(share)
        case _:
            assert_never(verdict)
