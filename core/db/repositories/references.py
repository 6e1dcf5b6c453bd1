"""Which stored files some row still points at."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from core.db.base import db_now
from core.db.tables import DatasetRow, JobRow, JobStageRow, ModelRow
from core.lifecycle import Stage

# The keys of a stage's output that name an artifact: single files, and trees of files.
_FILES = {
    Stage.LABEL: ("labels", "evaluation_labels", "estimated_confidence"),
    Stage.TRAIN: ("dynamics",),
    Stage.EVALUATE: ("audit", "measured"),
    Stage.PREDICT: ("predictions",),
}
# The key of a prediction job's checkpoint that names the tree of its finished parts.
PARTS = "parts"
_TREES = {Stage.TRAIN: ("student",), Stage.EXPORT: ("artifact",)}


@dataclass(frozen=True)
class References:
    """Digests in use: of single files, and of trees, whose members are in use with them."""

    files: frozenset[str]
    trees: frozenset[str]


def find_references(session: Session, *, grace: timedelta) -> References:
    """All that must stay: whatever is not deleted, and what running jobs build on.

    The labels and predictions of a finished job live as long as its dataset, its student as
    long as the model that it became, the texts that engines are compared on as long as both.
    What was deleted, or ended, less than the grace ago counts as if it had not been: a reader
    or a backup may have found it just before.
    """
    since = db_now(-grace.total_seconds())
    has_dataset = or_(DatasetRow.deleted_at.is_(None), DatasetRow.deleted_at > since)
    has_model = or_(ModelRow.deleted_at.is_(None), ModelRow.deleted_at > since)
    under_way = or_(JobRow.finished_at.is_(None), JobRow.finished_at > since)
    files: set[str] = set()
    for row in session.execute(
        select(DatasetRow.rows_artifact, DatasetRow.issues_artifact).where(has_dataset)
    ):
        files.update(row)
    trees = set(session.scalars(select(ModelRow.artifact).where(has_model)))
    files.update(_validation_texts(session, has_model, has_dataset))
    outputs = (
        select(JobStageRow.stage, JobStageRow.output)
        .join(JobRow, JobRow.id == JobStageRow.job_id)
        .join(DatasetRow, DatasetRow.id == JobRow.dataset_id)
    )
    living = outputs.where(has_dataset, JobStageRow.stage.in_(_FILES))
    for stage, output in session.execute(living):
        files.update(output[key] for key in _FILES[Stage(stage)] if output.get(key))
    active = outputs.where(under_way, JobStageRow.stage.in_(_TREES))
    for stage, output in session.execute(active):
        for each in (output, *(output.get("candidates") or ())):
            trees.update(each[key] for key in _TREES[Stage(stage)] if key in each)
    for checkpoint in session.scalars(select(JobRow.checkpoint).where(under_way)):
        found = checkpoint or {}
        for each in found.get("finished", ()):
            files.update(each[key] for key in _FILES[Stage.TRAIN])
            trees.update(each[key] for key in _TREES[Stage.TRAIN])
        if PARTS in found:
            trees.add(found[PARTS])
    return References(frozenset(files), frozenset(trees))


def _validation_texts(
    session: Session, has_model: ColumnElement[bool], has_dataset: ColumnElement[bool]
) -> Iterator[str]:
    """Texts that engines are compared on: they go with the model, and with their dataset.

    They may be of the evaluation dataset, so that one has to be there too.
    """
    living = select(DatasetRow.id).where(has_dataset)
    found = session.scalars(
        select(ModelRow.export)
        .join(JobRow, JobRow.id == ModelRow.job_id)
        .where(
            has_model,
            JobRow.dataset_id.in_(living),
            or_(JobRow.evaluation_dataset_id.is_(None), JobRow.evaluation_dataset_id.in_(living)),
        )
    )
    for export in found:
        digest = (export.get("engines") or {}).get("validation")
        if digest is not None:
            yield digest
