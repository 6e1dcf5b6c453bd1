"""The statements that move a job: claim, heartbeat, fence, release, finish, reap, spend.

Each is one UPDATE guarded by what must still be true, so that two processes can
never both believe they won. `attempt` is the fencing token: every write of a worker
names it, and a worker whose job was taken over matches no row any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from core.db.tables import JobRow
from core.ids import JobId
from core.lifecycle import JobState, Queue

Json = dict[str, Any]


class GhostWorker(Exception):
    """This attempt no longer holds the job: roll back, write nothing, stop."""


@dataclass(frozen=True)
class Claim:
    """The right to work on a job: valid while the row still carries this attempt."""

    job_id: JobId
    attempt: int


@dataclass(frozen=True)
class Orders:
    """What a heartbeat brings back."""

    cancel_requested: bool
    deadline_passed: bool


@dataclass(frozen=True)
class Reaped:
    job_id: JobId
    state: JobState
    crashes: int


class EngineRepository:
    """The job engine's SQL, on both databases; each method runs in the caller's transaction."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def claim(self, *, queues: Sequence[Queue], worker: str, lease: timedelta) -> JobRow | None:
        """Take the best ready job of these queues, or None.

        Sets started_at and deadline_at on the first claim; counts what was held as spent,
        since a call in flight at a crash may have been billed. Writes `job.started`.
        """

    def heartbeat(
        self,
        claim: Claim,
        *,
        lease: timedelta,
        progress: int,
        detail: Json,
        checkpoint: Json | None,
    ) -> Orders:
        """Renew the lease and store progress (never backwards) and the newest checkpoint.

        Progress beyond what is stored resets the crash count.

        Raises:
            GhostWorker: the job is no longer this attempt's.
        """

    def fence(self, claim: Claim, *, stage: str) -> None:
        """Lock the job's row for this attempt: the FIRST statement of a worker's transaction.

        Raises:
            GhostWorker: the job is no longer this attempt's; roll back.
        """

    def release(self, claim: Claim, *, delay: timedelta, reason: str) -> None:
        """Give the job back unfinished (drain, park): queued again, no crash counted.

        Writes `job.requeued`. Cancels or fails it instead if that was due.

        Raises:
            GhostWorker: the job is no longer this attempt's.
        """

    def crash(self, claim: Claim, *, detail: str) -> JobState:
        """The child died: what the reaper would do, at once instead of after the lease.

        Returns the state the job is in now.

        Raises:
            GhostWorker: the job is no longer this attempt's.
        """

    def finish(
        self,
        claim: Claim,
        *,
        state: JobState,
        result: Json | None = None,
        error: Json | None = None,
    ) -> None:
        """Move to a terminal state and write its event. Safe to repeat after an ambiguous commit.

        Raises:
            GhostWorker: the job is no longer this attempt's.
        """

    def reap(self, *, limit: int = 100) -> list[Reaped]:
        """Take back the jobs whose lease ran out, deciding again at write time."""

    def reserve(self, claim: Claim, *, calls: int, micros: int) -> bool:
        """Hold money and calls before spending them; False when the cap would be passed."""

    def settle(self, claim: Claim, *, calls: int, held_micros: int, spent_micros: int) -> None:
        """Turn what was held into what was spent, in the transaction that stores the answers."""
