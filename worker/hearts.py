"""What a supervisor keeps beating while its child works: the lease of a job, or of a shard."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from sqlalchemy.orm import Session

from core.db.repositories.claims import Claim, Share
from core.db.repositories.engine import EngineRepository
from core.db.repositories.jobs import JobRepository
from core.db.repositories.shards import ShardRepository
from core.db.tables import JobRow
from core.lifecycle import Queue
from worker.protocol import Advanced, Json
from worker.verdict import StopCause


class Heart(Protocol):
    """One lease."""

    @property
    def published(self) -> Json | None:
        """The checkpoint that the row named when the child began."""
        ...

    def beat(
        self, session: Session, *, said: Advanced | None, checkpoint: Json | None
    ) -> StopCause | None:
        """Renew the lease; returns why the child is to stop, if it is.

        Raises:
            GhostWorker: the lease is lost.
        """
        ...


class JobHeart:
    """A job's lease, with the progress and the checkpoints of its child."""

    def __init__(self, row: JobRow, *, lease: timedelta) -> None:
        self.published = row.checkpoint
        self._claim = Claim(row.id, row.attempt)
        self._lease = lease
        self._progress = row.progress
        self._detail: Json = row.progress_detail

    def beat(
        self, session: Session, *, said: Advanced | None, checkpoint: Json | None
    ) -> StopCause | None:
        if said is not None:
            self._progress, self._detail = max(self._progress, said.progress), said.detail
        orders = EngineRepository(session).heartbeat(
            self._claim,
            lease=self._lease,
            progress=self._progress,
            detail=self._detail,
            checkpoint=checkpoint,
        )
        if orders.cancel_requested:
            return StopCause.CANCEL
        return StopCause.DEADLINE if orders.deadline_passed else None


class ShardHeart:
    """The lease of whatever shard an assistant fills.

    A job that waits for the slot comes first: a shard is put down without a loss.
    """

    published: Json | None = None

    def __init__(self, share: Share, *, lease: timedelta, queues: Sequence[Queue]) -> None:
        self._share = share
        self._lease = lease
        self._queues = queues

    def beat(
        self, session: Session, *, said: Advanced | None, checkpoint: Json | None
    ) -> StopCause | None:
        ShardRepository(session).heartbeat(self._share, lease=self._lease)
        is_wanted = JobRepository(session).has_ready(self._queues)
        return StopCause.YIELD if is_wanted else None
