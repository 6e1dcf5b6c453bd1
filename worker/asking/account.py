"""In whose hands a part of a job's budget is: its own worker's, or an assistant's."""

from typing import Protocol

from sqlalchemy.orm import Session

from core.db.repositories.claims import Claim, GhostWorker, ShardClaim
from core.db.repositories.engine import EngineRepository
from core.db.repositories.shard_budget import ShardBudget, lock_job


class Account(Protocol):
    """One worker's hold on the budget of one attempt at a job.

    Each method runs in the caller's transaction, and begins with the job's row.
    """

    @property
    def job(self) -> Claim:
        """The attempt whose budget it is."""
        ...

    def is_ours(self, session: Session) -> bool:
        """Whether the claim still holds."""
        ...

    def held_calls(self, session: Session) -> int:
        """Calls that this worker holds; 0 when its claim is lost."""
        ...

    def reserve(self, session: Session, *, calls: int, micros: int) -> bool:
        """Hold before spending; False when the cap would be passed.

        Raises:
            GhostWorker: the claim is lost.
        """
        ...

    def settle(self, session: Session, *, calls: int, held_micros: int, spent_micros: int) -> bool:
        """Turn what was held into what was spent; False when the claim is lost."""
        ...

    def release_hold(self, session: Session, *, calls: int, micros: int) -> bool:
        """Free what was held for calls that were never made; False when the claim is lost."""
        ...

    def lost(self) -> GhostWorker:
        """What to raise when it is."""
        ...


class JobAccount:
    """Of a job's own worker: it holds what no assistant of the job holds."""

    def __init__(self, claim: Claim) -> None:
        self.job = claim

    def is_ours(self, session: Session) -> bool:
        return lock_job(session, self.job)

    def held_calls(self, session: Session) -> int:
        return ShardBudget(session).owner_held_calls(self.job)

    def reserve(self, session: Session, *, calls: int, micros: int) -> bool:
        return EngineRepository(session).reserve(self.job, calls=calls, micros=micros)

    def settle(self, session: Session, *, calls: int, held_micros: int, spent_micros: int) -> bool:
        return EngineRepository(session).settle(
            self.job, calls=calls, held_micros=held_micros, spent_micros=spent_micros
        )

    def release_hold(self, session: Session, *, calls: int, micros: int) -> bool:
        return EngineRepository(session).release_hold(self.job, calls=calls, micros=micros)

    def lost(self) -> GhostWorker:
        return GhostWorker(self.job)


class ShardAccount:
    """Of an assistant."""

    def __init__(self, claim: ShardClaim) -> None:
        self.job = claim.job
        self._claim = claim

    def is_ours(self, session: Session) -> bool:
        return lock_job(session, self.job) and ShardBudget(session).is_held(self._claim)

    def held_calls(self, session: Session) -> int:
        return ShardBudget(session).held_calls(self._claim)

    def reserve(self, session: Session, *, calls: int, micros: int) -> bool:
        return ShardBudget(session).reserve(self._claim, calls=calls, micros=micros)

    def settle(self, session: Session, *, calls: int, held_micros: int, spent_micros: int) -> bool:
        return ShardBudget(session).settle(
            self._claim, calls=calls, held_micros=held_micros, spent_micros=spent_micros
        )

    def release_hold(self, session: Session, *, calls: int, micros: int) -> bool:
        return ShardBudget(session).release_hold(self._claim, calls=calls, micros=micros)

    def lost(self) -> GhostWorker:
        return GhostWorker(self._claim)
