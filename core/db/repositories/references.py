"""Which stored files some row still points at."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.db.tables import DatasetRow, JobRow, JobStageRow, ModelRow
from core.lifecycle import TERMINAL, Stage

# The keys of a stage's output that name an artifact: single files, and trees of files.
_FILES = {Stage.LABEL: ("labels", "evaluation_labels", "estimated_confidence")}
_TREES = {Stage.TRAIN: ("student",), Stage.EXPORT: ("artifact",)}


@dataclass(frozen=True)
class References:
    """Digests in use: of single files, and of trees, whose members are in use with them."""

    files: frozenset[str]
    trees: frozenset[str]


def find_references(session: Session) -> References:
    """All that must stay: whatever is not deleted, and what running jobs build on.

    The labels of a finished job live as long as its dataset, its student as long as the
    model that it became.
    """
    files: set[str] = set()
    for row in session.execute(
        select(DatasetRow.rows_artifact, DatasetRow.issues_artifact).where(
            DatasetRow.deleted_at.is_(None)
        )
    ):
        files.update(row)
    trees = set(session.scalars(select(ModelRow.artifact).where(ModelRow.deleted_at.is_(None))))
    outputs = (
        select(JobStageRow.stage, JobStageRow.output)
        .join(JobRow, JobRow.id == JobStageRow.job_id)
        .join(DatasetRow, DatasetRow.id == JobRow.dataset_id)
    )
    living = outputs.where(DatasetRow.deleted_at.is_(None), JobStageRow.stage.in_(_FILES))
    for stage, output in session.execute(living):
        files.update(output[key] for key in _FILES[Stage(stage)] if output.get(key))
    active = outputs.where(JobRow.state.not_in(TERMINAL), JobStageRow.stage.in_(_TREES))
    for stage, output in session.execute(active):
        trees.update(output[key] for key in _TREES[Stage(stage)])
    return References(frozenset(files), frozenset(trees))
