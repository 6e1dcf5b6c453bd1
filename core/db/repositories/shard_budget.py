"""How a shard's worker pays: from the job's budget, under the job's cap.

What it holds is held on the job's row and noted on the shard's, in one transaction. So
the cap is compared in one place only, and when a shard's worker is lost it is known how
much of what the job holds was in its hands. Whoever moves money locks the job's row first
and the shard's after it: the same order everywhere, so that nobody waits in a circle.
"""

from typing import Any

from sqlalchemy import Select, exists, func, select, update
from sqlalchemy.orm import Session

from core.db.repositories import moves, shard_moves
from core.db.repositories.claims import Claim, GhostWorker, ShardClaim
from core.db.repositories.engine import FRESH, EngineRepository
from core.db.tables import JobRow, JobShardRow


class ShardBudget:
    """`EngineRepository.reserve` and `settle` for shards; in the caller's transaction."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def reserve(self, claim: ShardClaim, *, calls: int, micros: int) -> bool:
        """Hold money and calls before spending them; False when the cap would be passed.

        Raises:
            GhostWorker: the shard, or the job, is no longer this attempt's; roll back.
        """
        if not EngineRepository(self.session).reserve(claim.job, calls=calls, micros=micros):
            return False
        values = {
            "held_calls": JobShardRow.held_calls + calls,
            "held_micros": JobShardRow.held_micros + micros,
        }
        if not self._update_held(claim, values):
            raise GhostWorker(claim)
        return True

    def settle(self, claim: ShardClaim, *, calls: int, held_micros: int, spent_micros: int) -> bool:
        """Turn what was held into what was spent, in the transaction that stores the answers.

        Returns:
            False when the shard or the job is no longer this attempt's: what it held was
            counted as spent already, and the answers are to be stored all the same.
        """
        values = {
            "held_calls": JobShardRow.held_calls - calls,
            "held_micros": JobShardRow.held_micros - held_micros,
        }
        return (
            lock_job(self.session, claim.job)
            and self._update_held(claim, values)
            and EngineRepository(self.session).settle(
                claim.job, calls=calls, held_micros=held_micros, spent_micros=spent_micros
            )
        )

    def release_hold(self, claim: ShardClaim, *, calls: int, micros: int) -> bool:
        """Free what was held for calls that were never made; False as in `settle`."""
        values = {
            "held_calls": JobShardRow.held_calls - calls,
            "held_micros": JobShardRow.held_micros - micros,
        }
        return (
            lock_job(self.session, claim.job)
            and self._update_held(claim, values)
            and EngineRepository(self.session).release_hold(claim.job, calls=calls, micros=micros)
        )

    def is_held(self, claim: ShardClaim) -> bool:
        """Whether the shard and its job are still this attempt's."""
        return self.session.scalar(_held(claim)) is not None

    def held_calls(self, claim: ShardClaim) -> int:
        """Calls that the shard's worker holds; 0 when it is no longer this attempt's."""
        return self.session.scalar(_held(claim)) or 0

    def owner_held_calls(self, claim: Claim) -> int:
        """Calls that the job's own worker holds: all but those noted on its shards."""
        noted = (
            select(func.coalesce(func.sum(JobShardRow.held_calls), 0))
            .where(shard_moves.of_attempt(claim))
            .scalar_subquery()
        )
        held = self.session.scalar(select(JobRow.held_calls - noted).where(moves.held_by(claim)))
        return int(held or 0)

    def _update_held(self, claim: ShardClaim, values: dict[str, Any]) -> bool:
        touched = self.session.scalar(
            update(JobShardRow)
            .where(shard_moves.held_by(claim))
            .values(values)
            .returning(JobShardRow.shard),
            execution_options=FRESH,
        )
        return touched is not None


def lock_job(session: Session, claim: Claim) -> bool:
    """Lock the job's row; False when the job is no longer this attempt's."""
    row = select(JobRow.id).where(moves.held_by(claim)).with_for_update()
    return session.scalar(row) is not None


def _held(claim: ShardClaim) -> Select[int]:
    job_runs = exists(select(JobRow.id).where(moves.held_by(claim.job)))
    return select(JobShardRow.held_calls).where(shard_moves.held_by(claim), job_runs)
