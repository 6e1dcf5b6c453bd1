"""Texts that a parent learned from certify nothing of its child, whatever the child asks for."""

from pathlib import Path
from typing import Any

import pytest

from core.db.base import EPOCH, db_now
from core.db.repositories.models import ModelRepository, NewModel
from core.db.session import Database
from core.db.tables import DatasetRow
from core.ids import DatasetId, JobId, ModelId
from core.label_files import Role, iter_labels
from core.lifecycle import Stage
from tests.worker.corpus import (
    LABELS,
    add_dataset,
    add_distillation,
    add_models,
    make_rows,
    make_spec,
)
from tests.worker.workshop import Workshop
from worker.ancestry import learned_before
from worker.certifying import FoundTexts, find_texts
from worker.job import Job
from worker.pool import load_answers
from worker.protocol import Json
from worker.roles import digest
from worker.stages.label import label


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return add_models(tmp_path_factory.mktemp("data"))


@pytest.fixture
def workshop(sqlite_database: Database, tmp_path: Path, models_dir: Path) -> Workshop:
    return Workshop(sqlite_database, tmp_path / "var", models_dir)


def dataset(workshop: Workshop, rows: list[Json]) -> DatasetId:
    return add_dataset(workshop.database, workshop.data_dir, rows)


def labelled(
    workshop: Workshop, dataset_id: DatasetId, *, certification: int | None = None, **given: Any
) -> tuple[Job, Json]:
    """A job whose label stage is done, and what that left."""
    asked = None if certification is None else {"rows": certification}
    spec = make_spec(certification=asked)
    add_distillation(workshop.database, dataset_id, spec=spec, **given)
    job = workshop.claim()
    output = label(job, {})
    job.book.finish(Stage.LABEL, output, started_at=EPOCH)
    return job, output


def model_of(job: Job) -> ModelId:
    """A model as the job would register it; nobody reads its files here."""
    new = NewModel(
        name="tickets",
        job_id=JobId(job.row.id),
        artifact="4" * 64,
        labels=list(LABELS),
        base_model="tiny",
        metrics={},
        export={},
        size_bytes=1,
        parent_model_id=job.row.parent_model_id,
    )
    with job.database.write() as session:
        return ModelRepository(session).register(job.tenant_id, new).id


def delete(database: Database, dataset_id: DatasetId) -> None:
    with database.write() as session:
        row = session.get_one(DatasetRow, dataset_id)
        row.deleted_at = db_now()


def with_role(job: Job, output: Json, role: Role) -> set[str]:
    rows = make_rows(400, gold=0)
    entries = [
        entry for chunk in iter_labels(job.artifacts.path(output["labels"])) for entry in chunk
    ]
    assert len(entries) == len(rows)
    return {row["text"] for row, entry in zip(rows, entries, strict=True) if entry["role"] == role}


def found(job: Job, output: Json) -> FoundTexts:
    return find_texts(job, {Stage.LABEL: output})


def texts(found: FoundTexts) -> set[str]:
    assert found.texts is not None
    return set(found.texts.texts)


class TestDrawing:
    def test_more_rows_than_the_parent_kept_are_not_drawn_from_what_it_learned(
        self, workshop: Workshop
    ) -> None:
        shared = dataset(workshop, make_rows(400, gold=0))
        parent, kept = labelled(workshop, shared, certification=100)
        child, output = labelled(
            workshop, shared, certification=200, parent_model_id=model_of(parent)
        )
        clean = with_role(parent, kept, Role.CERTIFICATION)
        assert with_role(child, output, Role.CERTIFICATION) == clean
        # The other rows are all learned from: none is kept apart in vain.
        assert len(with_role(child, output, Role.TRAIN)) == 300
        assert texts(found(child, output)) == clean

    def test_new_texts_are_drawn_as_ever(self, workshop: Workshop) -> None:
        old, new = make_rows(200, gold=0), make_rows(200, gold=0, first=200)
        parent, _ = labelled(workshop, dataset(workshop, old))
        child, output = labelled(
            workshop,
            dataset(workshop, [*old, *new]),
            certification=120,
            parent_model_id=model_of(parent),
        )
        certifying = texts(found(child, output))
        assert len(certifying) == 120
        assert certifying < {row["text"] for row in new}

    def test_with_too_few_clean_texts_there_is_no_cascade(self, workshop: Workshop) -> None:
        shared = dataset(workshop, make_rows(400, gold=0))
        parent, _ = labelled(workshop, shared)
        child, output = labelled(
            workshop, shared, certification=100, parent_model_id=model_of(parent)
        )
        assert with_role(child, output, Role.CERTIFICATION) == set()
        assert found(child, output) == FoundTexts(None, "too_few_texts")


class TestFinding:
    def test_gold_rows_that_the_parent_learned_from_are_left_out(self, workshop: Workshop) -> None:
        old, new = make_rows(60, gold=60), make_rows(240, gold=60, first=60)
        # Of the parent's 60 rows with gold twelve measure it and the others teach it.
        parent, kept = labelled(workshop, dataset(workshop, old))
        learned = set(load_answers(parent, {Stage.LABEL: kept}).pool.texts)
        measured = dataset(workshop, [*old, *new[:60]])
        child, output = labelled(
            workshop,
            dataset(workshop, new[60:]),
            evaluation_dataset_id=measured,
            parent_model_id=model_of(parent),
        )
        certifying = texts(found(child, output))
        everything = {row["text"] for row in [*old, *new[:60]]}
        assert (len(learned), len(certifying)) == (48, 72)
        assert certifying == everything - learned

    def test_rows_that_an_earlier_job_drew_are_left_out_too(self, workshop: Workshop) -> None:
        shared = dataset(workshop, make_rows(400, gold=0))
        parent, kept = labelled(workshop, shared, certification=100)
        earlier, drawn = labelled(workshop, shared, certification=200)
        assert len(with_role(earlier, drawn, Role.CERTIFICATION)) == 200
        replay, output = labelled(
            workshop,
            shared,
            certification=200,
            from_job_id=earlier.row.id,
            parent_model_id=model_of(parent),
        )
        assert texts(found(replay, output)) == with_role(parent, kept, Role.CERTIFICATION)


class TestAncestors:
    def test_what_a_parents_parent_learned_counts(self, workshop: Workshop) -> None:
        first, second = make_rows(100, gold=0), make_rows(100, gold=0, first=100)
        oldest, _ = labelled(workshop, dataset(workshop, first))
        parent, _ = labelled(workshop, dataset(workshop, second), parent_model_id=model_of(oldest))
        child, _ = labelled(
            workshop,
            dataset(workshop, make_rows(100, gold=0, first=200)),
            parent_model_id=model_of(parent),
        )
        assert learned_before(child) == {digest(row["text"]) for row in [*first, *second]}

    def test_without_a_parent_nothing_was_learned(self, workshop: Workshop) -> None:
        job, _ = labelled(workshop, dataset(workshop, make_rows(100, gold=0)))
        assert learned_before(job) == frozenset()

    def test_where_a_dataset_was_deleted_nobody_can_tell(self, workshop: Workshop) -> None:
        old = dataset(workshop, make_rows(100, gold=0, first=400))
        oldest, _ = labelled(workshop, old)
        parent, _ = labelled(
            workshop,
            dataset(workshop, make_rows(100, gold=0, first=500)),
            parent_model_id=model_of(oldest),
        )
        delete(workshop.database, old)
        child, output = labelled(
            workshop,
            dataset(workshop, make_rows(400, gold=0)),
            certification=100,
            parent_model_id=model_of(parent),
        )
        assert learned_before(child) is None
        assert found(child, output) == FoundTexts(None, "parent_texts_unknown")
        # Kept apart they would serve nobody.
        assert len(with_role(child, output, Role.TRAIN)) == 400
