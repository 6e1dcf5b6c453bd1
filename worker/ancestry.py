"""Which texts a job's student had learned from before: its parent's, and those of its parents."""

from collections.abc import Iterator, Set

from sqlalchemy.orm import Session

from core.db.repositories.datasets import DatasetRepository
from core.db.repositories.jobs import JobRepository
from core.db.repositories.models import ModelRepository
from core.db.repositories.stages import StageRepository
from core.ids import JobId
from core.lifecycle import Stage
from worker.durability import durably
from worker.job import Job
from worker.pool import is_learned, pairs_of
from worker.roles import digest

# The artifacts of a job's rows and of their labels.
Files = tuple[str, str]


def learned_before(job: Job) -> Set[bytes] | None:
    """Digests of all texts that the weights which this job starts from were trained on.

    Empty without a parent. None where nobody can tell any more: the dataset of one of them was
    deleted, and what was learned from it is only known by its rows.
    """
    files = durably(job.database, lambda session: _files_of_ancestors(session, job))
    if files is None:
        return None
    return frozenset(mark for each in files for mark in _learned(job, each))


def _files_of_ancestors(session: Session, job: Job) -> list[Files] | None:
    files = []
    model_id = job.row.parent_model_id
    while model_id is not None:
        model = ModelRepository(session).get(job.tenant_id, model_id)
        assert model is not None, "rows of models stay, also of deleted ones"
        found = _files_of(session, job, model.job_id)
        if found is None:
            return None
        files.append(found)
        model_id = model.parent_model_id
    return files


def _files_of(session: Session, job: Job, ancestor: JobId) -> Files | None:
    row = JobRepository(session).get(job.tenant_id, ancestor)
    assert row is not None, "jobs are never deleted"
    dataset = DatasetRepository(session).get(job.tenant_id, row.dataset_id)
    # Its files may still be there for a day: what was deleted is not read all the same.
    if dataset is None or dataset.deleted_at is not None:
        return None
    labelled = StageRepository(session).get(ancestor)[Stage.LABEL]
    return dataset.rows_artifact, labelled.output["labels"]


def _learned(job: Job, files: Files) -> Iterator[bytes]:
    rows, labels = files
    for row, entry in pairs_of(job.artifacts, rows, labels):
        if is_learned(entry):
            yield digest(row["text"])
