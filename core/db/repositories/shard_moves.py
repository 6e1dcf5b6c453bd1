"""What must still be true for a shard to move; the job's own guards stand in `moves`."""

from sqlalchemy import CTE, ColumnElement, Select, and_, select

from core.db.base import db_now
from core.db.repositories.claims import Claim, ShardClaim, Share
from core.db.tables import JobRow, JobShardRow
from core.ids import JobId
from core.lifecycle import MAX_CRASHES, JobState, Queue, Stage


def of_attempt(job: Claim) -> ColumnElement[bool]:
    """The shards that this attempt at the job cut."""
    return and_(JobShardRow.job_id == job.job_id, JobShardRow.job_attempt == job.attempt)


def held_by(claim: ShardClaim) -> ColumnElement[bool]:
    """The shard's half of the fence: leased, and under this very attempt."""
    return and_(
        of_attempt(claim.job),
        JobShardRow.shard == claim.shard,
        JobShardRow.attempt == claim.attempt,
        JobShardRow.lease_until.is_not(None),
    )


def leased_to(share: Share) -> ColumnElement[bool]:
    return and_(
        of_attempt(share.job),
        JobShardRow.lease_owner == share.worker,
        JobShardRow.lease_until.is_not(None),
    )


def is_open() -> ColumnElement[bool]:
    return and_(JobShardRow.lease_until.is_(None), JobShardRow.done_at.is_(None))


def is_safe() -> ColumnElement[bool]:
    """Whether an assistant may try: a shard that lost too many is left to the owner."""
    return JobShardRow.crashes < MAX_CRASHES


def lease_is_over() -> ColumnElement[bool]:
    return JobShardRow.lease_until < db_now()


def wants_help() -> ColumnElement[bool]:
    """Whether the job is still where it was when it cut its shards, and is to go on."""
    return and_(
        JobRow.id == JobShardRow.job_id,
        JobRow.attempt == JobShardRow.job_attempt,
        JobRow.state == JobState.RUNNING,
        JobRow.stage == Stage.LABEL.value,
        JobRow.cancel_at.is_(None),
        JobRow.deadline_at > db_now(),
    )


def first_open(*guards: ColumnElement[bool]) -> CTE:
    """The shard to claim next, of the job that would be claimed first."""
    return (
        select(JobShardRow.job_id, JobShardRow.shard)
        .join(JobRow, wants_help())
        .where(is_open(), *guards)
        .order_by(JobRow.priority.desc(), JobRow.run_at, JobRow.id, JobShardRow.shard)
        .limit(1)
        .with_for_update(of=JobShardRow, skip_locked=True)
        .cte("open")
    )


def is_run_on(kind: Queue) -> ColumnElement[bool]:
    """Whether the job's worker has such a device: the last part of its name says so."""
    return JobRow.lease_owner.contains(f":{kind.value}")


def lost_shards(limit: int) -> Select[JobId, int, int]:
    """Job, its attempt, and shard, of those whose lease ran out; those of one job together."""
    return (
        select(JobShardRow.job_id, JobShardRow.job_attempt, JobShardRow.shard)
        .where(lease_is_over())
        .order_by(JobShardRow.job_id, JobShardRow.shard)
        .limit(limit)
    )


def void_shards(limit: int) -> Select[JobId, int]:
    """Job and shard, of those whose attempt at the job is over: it never runs again."""
    return (
        select(JobShardRow.job_id, JobShardRow.shard)
        .join(JobRow, JobRow.id == JobShardRow.job_id)
        .where((JobRow.state != JobState.RUNNING) | (JobRow.attempt != JobShardRow.job_attempt))
        .limit(limit)
        .with_for_update(of=JobShardRow, skip_locked=True)
    )
