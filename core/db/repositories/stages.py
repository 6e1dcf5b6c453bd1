"""Which stages of a job are done, and what they left for the next ones."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.db.repositories.claims import Claim
from core.db.repositories.engine import EngineRepository
from core.db.repositories.events import EventRepository
from core.db.repositories.inserts import insert_for
from core.db.tables import JobStageRow
from core.ids import JobId
from core.lifecycle import EventType, Stage


class StageRepository:
    """Each method runs in the caller's transaction."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def get(self, job_id: JobId) -> Mapping[Stage, JobStageRow]:
        """The stages that are done; one that is not here has to be run (again)."""
        rows = self.session.scalars(select(JobStageRow).where(JobStageRow.job_id == job_id))
        return {Stage(row.stage): row for row in rows}

    def of_jobs(self, job_ids: Sequence[JobId]) -> Mapping[JobId, Mapping[Stage, JobStageRow]]:
        """`get` for a page of jobs, in one question."""
        found: dict[JobId, dict[Stage, JobStageRow]] = {job_id: {} for job_id in job_ids}
        rows = self.session.scalars(select(JobStageRow).where(JobStageRow.job_id.in_(job_ids)))
        for row in rows:
            found[row.job_id][Stage(row.stage)] = row
        return found

    def done(
        self, claim: Claim, stage: Stage, *, output: dict[str, Any], started_at: datetime
    ) -> None:
        """Mark a stage done and write `stage.finished`; the first output stays if repeated.

        Raises:
            GhostWorker: the job is no longer this attempt's; roll back.
        """
        EngineRepository(self.session).fence(claim, stage=stage.value)
        inserted = self.session.scalar(
            insert_for(self.session, JobStageRow)
            .values(
                job_id=claim.job_id,
                stage=stage.value,
                attempt=claim.attempt,
                output=output,
                started_at=started_at,
            )
            .on_conflict_do_nothing()
            .returning(JobStageRow.stage)
        )
        if inserted is not None:
            EventRepository(self.session).append(
                claim.job_id,
                EventType.STAGE_FINISHED,
                {"stage": stage.value, "attempt": claim.attempt},
            )
