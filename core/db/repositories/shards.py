"""The statements that let several workers label for one job: cut, claim, fill, take back.

A shard's worker fills the answer store and writes nothing else; what it pays with stands
in `shard_budget`. Nothing waits for a shard longer than its lease: whoever comes to its
rows asks about those that have no answer yet.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, case, delete, exists, func, select, tuple_, update
from sqlalchemy.orm import Session

from core.db.base import db_now
from core.db.repositories import moves, shard_moves
from core.db.repositories.claims import (
    Claim,
    GhostWorker,
    ReapedShard,
    ShardClaim,
    ShardCount,
    Share,
)
from core.db.repositories.engine import FRESH, EngineRepository
from core.db.repositories.inserts import insert_for
from core.db.repositories.shard_budget import lock_job
from core.db.tables import JobRow, JobShardRow
from core.ids import JobId
from core.lifecycle import Queue, Stage

# Job, its attempt, and shard.
Lost = tuple[JobId, int, int]


class ShardRepository:
    """The SQL of shards, on both databases; each method runs in the caller's transaction."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def cut(self, claim: Claim, *, rows: int, shard_rows: int) -> None:
        """Offer the dataset's rows to assistants, in shards of so many; the last may be smaller.

        Repeating it changes nothing; shards of an earlier attempt make room.

        Raises:
            GhostWorker: the job is no longer this attempt's; roll back.
        """
        EngineRepository(self.session).fence(claim, stage=Stage.LABEL.value)
        self.session.execute(
            delete(JobShardRow).where(
                JobShardRow.job_id == claim.job_id, JobShardRow.job_attempt != claim.attempt
            ),
            execution_options=FRESH,
        )
        parts = [
            {
                "job_id": claim.job_id,
                "shard": shard,
                "job_attempt": claim.attempt,
                "first_row": first,
                "rows": min(shard_rows, rows - first),
            }
            for shard, first in enumerate(range(0, rows, shard_rows))
        ]
        if parts:
            self.session.execute(
                insert_for(self.session, JobShardRow).on_conflict_do_nothing(), parts
            )

    def claim(self, *, kind: Queue, worker: str, lease: timedelta) -> JobShardRow | None:
        """Take, as an assistant, an open shard of the best job that has one, or None.

        Args:
            kind: of the assistant's device; the owner's is of the same kind, since another
                kind's arithmetic gives other last bits.
            worker: a name that nobody else ever bears; see `Share`.
        """
        guards = shard_moves.is_safe(), shard_moves.is_run_on(kind)
        return self._claim(worker, lease, *guards)

    def job_of(self, shard: JobShardRow) -> JobRow:
        """The job that a claimed shard is a part of."""
        return self.session.get_one(JobRow, shard.job_id)

    def claim_next(self, share: Share, *, lease: timedelta) -> JobShardRow | None:
        """Take another shard of the same job; the one this worker holds already, if it does."""
        return self._claim_of(share, lease, shard_moves.is_safe())

    def claim_own(self, share: Share, *, lease: timedelta) -> JobShardRow | None:
        """`claim_next` for the owner, who also takes the shards that no assistant survived.

        Args:
            lease: nobody renews it: the owner's lease of the job is what counts, so this
                one is to outlast the job.
        """
        return self._claim_of(share, lease)

    def heartbeat(self, share: Share, *, lease: timedelta) -> None:
        """Renew the lease of the shard this worker fills.

        Raises:
            GhostWorker: it holds none any more, or the job was cancelled or lost.
        """
        # It may be putting down one shard for the next at this moment, in a transaction that
        # holds the job's row: a look from before its commit would find neither.
        if not lock_job(self.session, share.job):
            raise GhostWorker(share.job)
        renewed = self.session.scalar(
            update(JobShardRow)
            .where(
                shard_moves.leased_to(share),
                exists(
                    select(JobRow.id).where(moves.held_by(share.job), JobRow.cancel_at.is_(None))
                ),
            )
            .values(lease_until=db_now(lease.total_seconds()))
            .returning(JobShardRow.shard),
            execution_options=FRESH,
        )
        if renewed is None:
            raise GhostWorker(share.job)

    def finish(self, claim: ShardClaim) -> None:
        """Mark the shard done. Safe to repeat after an ambiguous commit.

        Raises:
            GhostWorker: the shard is no longer this attempt's.
        """
        done = {"done_at": db_now()}
        if not self._put_back(claim.job, done, shard_moves.held_by(claim)):
            finished = select(JobShardRow.shard).where(
                shard_moves.of_attempt(claim.job),
                JobShardRow.shard == claim.shard,
                JobShardRow.attempt == claim.attempt,
                JobShardRow.done_at.is_not(None),
            )
            if self.session.scalar(finished) is None:
                raise GhostWorker(claim)

    def release(self, share: Share) -> None:
        """Give back what this worker holds, unfinished and without a crash counted."""
        self._put_back(share.job, {}, shard_moves.leased_to(share))

    def crash(self, share: Share) -> None:
        """The assistant died: what the reaper would do, at once. No crash of the job."""
        self._put_back(share.job, _ONE_MORE_CRASH, shard_moves.leased_to(share))

    def reap(self, *, limit: int = 100) -> list[ReapedShard]:
        """Forget the shards of jobs that went on, and take back those whose lease ran out."""
        void = shard_moves.void_shards(limit).cte("void")
        self.session.execute(
            delete(JobShardRow).where(_key().in_(select(void.c.job_id, void.c.shard))),
            execution_options=FRESH,
        )
        lost = self.session.execute(shard_moves.lost_shards(limit))
        return self.take_back([(row.job_id, row.job_attempt, row.shard) for row in lost])

    def take_back(self, candidates: Sequence[Lost]) -> list[ReapedShard]:
        """Reopen those of the candidates whose lease is over at this moment."""
        reaped: list[ReapedShard] = []
        # In the order of jobs, since each job's row is locked on the way.
        for (job_id, attempt), some in groupby(sorted(candidates), key=lambda lost: lost[:2]):
            rows = self._put_back(
                Claim(job_id, attempt),
                _ONE_MORE_CRASH,
                shard_moves.of_attempt(Claim(job_id, attempt)),
                JobShardRow.shard.in_([shard for *_, shard in some]),
                shard_moves.lease_is_over(),
            )
            reaped += [ReapedShard(job_id, row.shard, row.crashes + 1) for row in rows]
        return reaped

    def count(self, claim: Claim) -> ShardCount:
        """How far this attempt's shards are."""
        is_done = JobShardRow.done_at.is_not(None)
        rows_done, left = self.session.execute(
            select(
                func.coalesce(func.sum(case((is_done, JobShardRow.rows), else_=0)), 0),
                func.coalesce(func.sum(case((is_done, 0), else_=1)), 0),
            ).where(shard_moves.of_attempt(claim))
        ).one()
        return ShardCount(int(rows_done), int(left))

    def _claim_of(
        self, share: Share, lease: timedelta, *guards: ColumnElement[bool]
    ) -> JobShardRow | None:
        # Its claim may have come through although the connection broke during the commit.
        mine = self.session.scalar(select(JobShardRow).where(shard_moves.leased_to(share)))
        return mine or self._claim(share.worker, lease, shard_moves.of_attempt(share.job), *guards)

    def _claim(
        self, worker: str, lease: timedelta, *guards: ColumnElement[bool]
    ) -> JobShardRow | None:
        first = shard_moves.first_open(*guards)
        return self.session.scalar(
            update(JobShardRow)
            .where(
                JobShardRow.job_id == first.c.job_id,
                JobShardRow.shard == first.c.shard,
                shard_moves.is_open(),
            )
            .values(
                attempt=JobShardRow.attempt + 1,
                lease_owner=worker,
                lease_until=db_now(lease.total_seconds()),
            )
            .returning(JobShardRow),
            execution_options=FRESH,
        )

    def _put_back(
        self, job: Claim, values: dict[str, Any], *guards: ColumnElement[bool]
    ) -> Sequence[JobShardRow]:
        """End these shards' leases; what they held is spent. Returns them as they were."""
        runs = lock_job(self.session, job)
        rows = self.session.scalars(
            select(JobShardRow).where(*guards).with_for_update(),
            execution_options={"populate_existing": True},
        ).all()
        if not rows:
            return ()
        if runs:
            self._spend_held(job, rows)
        self.session.execute(
            update(JobShardRow)
            .where(_key().in_([(row.job_id, row.shard) for row in rows]))
            .values(lease_owner=None, lease_until=None, held_calls=0, held_micros=0, **values),
            execution_options=FRESH,
        )
        return rows

    def _spend_held(self, job: Claim, rows: Sequence[JobShardRow]) -> None:
        """Count as spent what these shards hold of the job's money.

        Once only: when the job loses its attempt, all that it holds becomes spent, and the
        notes on its shards are void.
        """
        calls = sum(row.held_calls for row in rows)
        micros = sum(row.held_micros for row in rows)
        if calls or micros:
            EngineRepository(self.session).settle(
                job, calls=calls, held_micros=micros, spent_micros=micros
            )


def _key() -> Any:
    return tuple_(JobShardRow.job_id, JobShardRow.shard)


_ONE_MORE_CRASH = {"crashes": JobShardRow.crashes + 1}

__all__ = ["Lost", "ShardRepository"]
