"""What a worker holds of a job, and what it is told about it."""

from dataclasses import dataclass
from typing import Any

from core.ids import JobId
from core.lifecycle import JobState

Json = dict[str, Any]


@dataclass(frozen=True)
class Claim:
    """The right to work on a job: valid while the row still carries this attempt."""

    job_id: JobId
    attempt: int

    def __str__(self) -> str:
        return f"job {self.job_id}"


@dataclass(frozen=True)
class Share:
    """A worker's part in a job that another attempt, the owner's, runs.

    Attributes:
        job: the owner's claim; the part is void without it.
        worker: a name that nobody else ever bears; all shards leased to it are its own.
    """

    job: Claim
    worker: str


@dataclass(frozen=True)
class ShardClaim:
    """The right to fill one shard: valid while its row carries this attempt and a lease, and
    its job the attempt that cut it."""

    job: Claim
    shard: int
    attempt: int

    def __str__(self) -> str:
        return f"shard {self.shard} of attempt {self.job.attempt} at job {self.job.job_id}"


class GhostWorker(Exception):
    """This attempt no longer holds the job or shard: roll back, write nothing, stop."""

    def __init__(self, claim: Claim | ShardClaim) -> None:
        super().__init__(f"attempt {claim.attempt} no longer holds {claim}")
        self.claim = claim


@dataclass(frozen=True)
class Orders:
    """What a heartbeat brings back."""

    cancel_requested: bool
    deadline_passed: bool


@dataclass(frozen=True)
class Reaped:
    """A job taken back from a silent worker, and what became of it."""

    job_id: JobId
    state: JobState
    crashes: int


@dataclass(frozen=True)
class ReapedShard:
    """A shard taken back from a silent worker."""

    job_id: JobId
    shard: int
    crashes: int


@dataclass(frozen=True)
class ShardCount:
    """How far the shards of a job are.

    Attributes:
        rows_done: rows of the shards that are done.
        left: shards that are not.
    """

    rows_done: int
    left: int
