"""The owner's side of a shared label stage: it offers shards, takes part, and waits for the last.

Only the owner writes label files, so an assistant that is slow or dead costs time and
never an answer: its lease ends, its shard is open again, and the owner takes it.
"""

import time
from collections.abc import Iterator
from datetime import timedelta

from core.db.repositories.claims import ShardClaim, ShardCount, Share
from core.db.repositories.shards import ShardRepository
from core.db.tables import JobShardRow
from llkd.specs import EnsembleTeacher, LocalTeacher, ProvidedTeacher, TeacherSpec
from worker.durability import durably
from worker.job import Job
from worker.protocol import Waiting

# Seconds to minutes of a local teacher: little enough for an even end, and for a
# heartbeat's loss when an assistant dies.
SHARD_ROWS = 256
# How soon the owner sees that an assistant is done, or gone.
LOOK_AGAIN_S = 0.5
# Often enough for a person who watches; a question to the database each time.
COUNT_AGAIN_S = 1.0
OWNER = "owner"


def is_shareable(teacher: TeacherSpec) -> bool:
    """Whether more workers make it faster.

    A server behind a wire has limits that one process keeps and reaches: each further one
    would ask as much again. Answers that stand in the dataset are only read.
    """
    members = teacher.teachers if isinstance(teacher, EnsembleTeacher) else (teacher,)
    return all(isinstance(member, LocalTeacher) for member in members) and not all(
        isinstance(member, ProvidedTeacher) for member in members
    )


class Sharing:
    """One attempt's offer.

    Args:
        rows: how many the dataset has.
    """

    def __init__(self, job: Job, *, rows: int) -> None:
        self._job = job
        self._rows = rows
        self._claim = job.assignment.claim
        # The owner is one worker of its shards like any other; its claim makes it the only one.
        self._share = Share(self._claim, OWNER)
        # The job's lease counts, and it cannot outlast this one.
        self._lease = timedelta(seconds=job.row.max_wall_seconds)
        self._count = ShardCount(0, 0)
        self._counted_at = 0.0

    def parts(self) -> Iterator[JobShardRow]:
        """Shards for the owner to fill, one by one; ends when all are filled, by whomever.

        Raises:
            GhostWorker: the job is another attempt's.
            Released: the process was asked to stop.
        """
        durably(
            self._job.database,
            lambda session: ShardRepository(session).cut(
                self._claim, rows=self._rows, shard_rows=SHARD_ROWS
            ),
        )
        while True:
            shard = self._next()
            if shard is not None:
                yield shard
                self._finish(ShardClaim(self._claim, shard.shard, shard.attempt))
            elif not self._look().left:
                return
            else:
                self._wait()

    def rows_done(self) -> int:
        """Rows of all shards that are filled, as they were counted a moment ago."""
        if time.monotonic() - self._counted_at >= COUNT_AGAIN_S:
            self._look()
        return self._count.rows_done

    def _next(self) -> JobShardRow | None:
        return durably(
            self._job.database,
            lambda session: ShardRepository(session).claim_own(self._share, lease=self._lease),
        )

    def _finish(self, claim: ShardClaim) -> None:
        durably(self._job.database, lambda session: ShardRepository(session).finish(claim))
        self._look()

    def _look(self) -> ShardCount:
        self._count = durably(
            self._job.database, lambda session: ShardRepository(session).count(self._claim)
        )
        self._counted_at = time.monotonic()
        return self._count

    def _wait(self) -> None:
        self._job.stop.check()
        self._job.tell(Waiting())
        self._job.progress.advance(self._count.rows_done, rows=self._count.rows_done)
        time.sleep(LOOK_AGAIN_S)
