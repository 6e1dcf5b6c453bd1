"""One attempt at a real job inside this process: its stages are called as the pipeline does."""

import os
from collections.abc import Mapping
from pathlib import Path

from core.artifacts import ArtifactStore
from core.config import Settings
from core.db.repositories.engine import EngineRepository
from core.db.session import Database
from core.db.tables import JobRow
from core.ids import JobId
from core.lifecycle import LIVES, Purpose, Queue
from llkd.specs import DistillationSpec
from worker.book import JobBook
from worker.eta import Eta
from worker.faults import FaultPoints
from worker.job import Job, OpenJob, load_rows
from worker.labelling_time import LabellingTime
from worker.progress import Progress
from worker.protocol import Assignment, CheckpointSaved, Json, Message
from worker.stop_request import StopRequest


class Workshop:
    """Claims jobs of one database and gives their stages what they need."""

    def __init__(self, database: Database, data_dir: Path, models_dir: Path) -> None:
        self.database = database
        self.data_dir = data_dir
        self.models_dir = models_dir
        self.told: list[Message] = []

    def claim(
        self,
        *,
        environment: Mapping[str, str] = os.environ,
        checkpoint_seconds: float = 1e9,
        teacher_hosts: tuple[str, ...] = (),
    ) -> Job:
        """The next ready job, as a child would see it."""
        opened = self.claim_any(
            environment=environment,
            checkpoint_seconds=checkpoint_seconds,
            teacher_hosts=teacher_hosts,
        )
        rows = load_rows(self.database, opened.assignment)
        return Job(
            **vars(opened),
            spec=DistillationSpec.model_validate(rows.job.spec),
            evaluation_dataset=rows.evaluation_dataset,
            labelling_time=LabellingTime.of(rows.job, now=rows.now),
            parent=rows.parent,
        )

    def claim_any(
        self,
        *,
        environment: Mapping[str, str] = os.environ,
        checkpoint_seconds: float = 1e9,
        teacher_hosts: tuple[str, ...] = (),
        threads: int = 1,
    ) -> OpenJob:
        """The next ready job of any purpose."""
        settings = Settings(data_dir=self.data_dir)
        with self.database.write() as session:
            row = EngineRepository(session).claim(
                queues=[Queue.ANY], worker="test:cpu", lease=settings.lease
            )
        assert row is not None
        assignment = Assignment(
            tenant_id=row.tenant_id,
            job_id=row.id,
            attempt=row.attempt,
            supervisor_pid=os.getppid(),
            database_url="",
            data_dir=str(self.data_dir),
            models_dir=str(self.models_dir),
            allowed_models=(),
            threads=threads,
            checkpoint_seconds=checkpoint_seconds,
            teacher_hosts=teacher_hosts,
        )
        rows = load_rows(self.database, assignment)
        return OpenJob(
            row=rows.job,
            dataset=rows.dataset,
            assignment=assignment,
            database=self.database,
            artifacts=ArtifactStore(assignment.artifacts_dir),
            book=JobBook(self.database, assignment.claim),
            progress=Progress(
                self.told.append, detail={}, eta=Eta(life=LIVES[Purpose(row.purpose)])
            ),
            stop=StopRequest(),
            tell=self.told.append,
            faults=FaultPoints(environment, attempt=row.attempt),
        )

    def give_back(self, job: OpenJob) -> None:
        """What the supervisor does with a released child: publish the pointer, release."""
        saved = [message.pointer for message in self.told if isinstance(message, CheckpointSaved)]
        with self.database.write() as session:
            row = session.get(JobRow, job.row.id)
            assert row is not None
            row.checkpoint = saved[-1] if saved else None
            row.state, row.lease_until, row.lease_owner = "queued", None, None  # type: ignore[assignment]

    def row(self, job_id: JobId) -> JobRow:
        with self.database.read() as session:
            row = session.get(JobRow, job_id)
            assert row is not None
            return row


__all__ = ["Json", "Workshop"]
