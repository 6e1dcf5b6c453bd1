"""What an assistant does: it has the texts of one shard after another answered in the store.

It writes nothing else. Labels, counts and the judgement on the teacher are the owner's.
"""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy.orm import Session

from core.dataset_files import count_rows
from core.db.repositories.claims import ShardClaim, Share
from core.db.repositories.shards import ShardRepository
from core.lifecycle import Stage
from worker.asking.account import ShardAccount
from worker.asking.desk import Desk
from worker.asking.opening import open_desk
from worker.asking.purse import Purse
from worker.durability import durably
from worker.filling import fill_store, read_questions
from worker.job import Job
from worker.protocol import Json, Part
from worker.roles import Roles


def label_shards(job: Job, part: Part) -> Json:
    """Fill this shard, and then others of the same job while there are open ones.

    Its teacher is loaded once for all of them.

    Raises:
        GhostWorker: the shard or the job is another attempt's.
        Released: the process was asked to stop.
    """
    purse = Purse(job.database, tenant_id=job.tenant_id, account=ShardAccount(_claim_of(job, part)))
    desk = open_desk(job, purse)
    try:
        return {"shards": _Assistant(job, desk, purse).fill_all(part)}
    finally:
        desk.close()


class _Assistant:
    def __init__(self, job: Job, desk: Desk, purse: Purse) -> None:
        self._job = job
        self._desk = desk
        self._purse = purse
        self._rows = job.artifacts.path(job.dataset.rows_artifact)
        measured = job.evaluation_dataset
        self._roles = (
            Roles.within(self._rows)
            if measured is None
            else Roles.beside(job.artifacts.path(measured.rows_artifact))
        )
        self._done = 0

    def fill_all(self, part: Part) -> int:
        """Fill one shard after another; how many."""
        job = self._job
        job.progress.enter(Stage.LABEL)
        job.progress.expect(count_rows(self._rows))
        filled = 0
        following: Part | None = part
        with job.stop.deferred():
            while following is not None:
                self._purse.turn_to(ShardAccount(_claim_of(job, following)))
                self._fill(following)
                filled += 1
                following = _next(job, following)
        return filled

    def _fill(self, part: Part) -> None:
        questions = read_questions(
            self._rows, self._roles, first_row=part.first_row, count=part.rows
        )
        fill_store(self._desk, questions, advance=self._advance)
        self._done += part.rows

    def _advance(self, done: int) -> None:
        self._job.faults.reach("shard.batch")
        self._job.progress.advance(self._done + done)
        self._job.stop.check()


def _next(job: Job, part: Part) -> Part | None:
    """Mark this shard done and claim another."""
    claim = _claim_of(job, part)
    share = Share(claim.job, part.worker)
    lease = timedelta(seconds=part.lease_seconds)

    def move(session: Session) -> Part | None:
        shards = ShardRepository(session)
        shards.finish(claim)
        row = shards.claim_next(share, lease=lease)
        if row is None:
            return None
        return replace(
            part, shard=row.shard, attempt=row.attempt, first_row=row.first_row, rows=row.rows
        )

    return durably(job.database, move)


def _claim_of(job: Job, part: Part) -> ShardClaim:
    return ShardClaim(job.assignment.claim, part.shard, part.attempt)
