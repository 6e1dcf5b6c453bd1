"""What every stage is given: the job's spec and files, and where to write and tell."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from core.artifacts import ArtifactStore
from core.db.base import db_now
from core.db.repositories.datasets import DatasetRepository
from core.db.repositories.jobs import JobRepository
from core.db.repositories.models import ModelRepository
from core.db.session import Database
from core.db.tables import DatasetRow, JobRow, ModelRow
from core.ids import DatasetId, JobId, ModelId, TenantId
from core.lifecycle import LIVES, Purpose, Stage
from llkd.errors import LlkdError
from llkd.specs import DistillationSpec
from worker.book import JobBook
from worker.durability import durably
from worker.faults import FaultPoints
from worker.labelling_time import LabellingTime
from worker.progress import Progress
from worker.protocol import Assignment, Message
from worker.stop_request import StopRequest


class DatasetGone(LlkdError):
    """A dataset that the job reads was deleted."""

    code = "dataset-gone"


class ParentGone(LlkdError):
    """The model that the job's student starts from was deleted."""

    code = "parent-model-gone"


@dataclass(frozen=True)
class OpenJob:
    """One attempt at one job of any purpose, as its stages see it."""

    row: JobRow
    dataset: DatasetRow
    assignment: Assignment
    database: Database
    artifacts: ArtifactStore
    book: JobBook
    progress: Progress
    stop: StopRequest
    tell: Callable[[Message], None]
    faults: FaultPoints

    @property
    def tenant_id(self) -> TenantId:
        return self.row.tenant_id

    @property
    def purpose(self) -> Purpose:
        return Purpose(self.row.purpose)

    @property
    def life(self) -> tuple[Stage, ...]:
        """Its stages, in order."""
        return LIVES[self.purpose]

    @property
    def models_dir(self) -> Path | None:
        path = self.assignment.models_dir
        return None if path is None else Path(path)


@dataclass(frozen=True)
class Job(OpenJob):
    """One attempt at a distillation, or at what is done with a part of one."""

    spec: DistillationSpec
    evaluation_dataset: DatasetRow | None
    labelling_time: LabellingTime
    parent: ModelRow | None = None


@dataclass(frozen=True)
class JobRows:
    """What the database says of a job, and when it said so by its own clock."""

    job: JobRow
    dataset: DatasetRow
    evaluation_dataset: DatasetRow | None
    now: datetime
    parent: ModelRow | None


def load_rows(database: Database, assignment: Assignment) -> JobRows:
    """Read them, waiting for the database if need be.

    Raises:
        DatasetGone: a dataset is no longer there.
        ParentGone: the model that it starts from is not.
    """

    def read(session: Session) -> JobRows:
        tenant_id = TenantId(assignment.tenant_id)
        job = JobRepository(session).get(tenant_id, JobId(assignment.job_id))
        assert job is not None, "jobs are never deleted"
        evaluation = job.evaluation_dataset_id
        return JobRows(
            job,
            _dataset(session, tenant_id, job.dataset_id),
            None if evaluation is None else _dataset(session, tenant_id, evaluation),
            session.execute(select(db_now())).scalar_one(),
            None if job.parent_model_id is None else _parent(session, job.parent_model_id, job),
        )

    return durably(database, read)


def open_database(assignment: Assignment) -> Database:
    """One connection is enough: a child does one thing at a time."""
    return Database(make_url(assignment.database_url), pool_size=1)


def _parent(session: Session, model_id: ModelId, job: JobRow) -> ModelRow:
    row = ModelRepository(session).get(job.tenant_id, model_id)
    if row is None or row.deleted_at is not None:
        raise ParentGone(f"The model {model_id}, which the student starts from, was deleted.")
    return row


def _dataset(session: Session, tenant_id: TenantId, dataset_id: DatasetId) -> DatasetRow:
    row = DatasetRepository(session).get(tenant_id, dataset_id)
    if row is None or row.deleted_at is not None:
        raise DatasetGone(f"The dataset {dataset_id} was deleted.")
    return row
