"""A student that goes on from a served model: its first weights, its training, its lineage."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sqlalchemy import select
from sqlalchemy.engine import make_url

from core.artifacts import ArtifactStore
from core.db.base import EPOCH, db_now
from core.db.session import Database
from core.db.tables import ModelRow
from core.ids import ModelId
from core.lifecycle import JobState, Stage
from llkd.errors import StudentMismatch
from llkd.predictor import Predictor
from llkd.specs import EncoderSpec, TrainingSpec
from llkd.students.factory import continue_student
from tests.factories import make_job, make_model
from tests.worker.corpus import add_dataset, add_distillation, add_models, make_rows, make_spec
from tests.worker.workshop import Workshop
from worker.faults import InjectedFault
from worker.job import Job, ParentGone
from worker.protocol import Json
from worker.stages import train as stage
from worker.stages.evaluate import evaluate_student
from worker.stages.export import export
from worker.stages.label import label
from worker.stages.train import train
from worker.trained import ModelDamaged, verified

ENCODER = {"kind": "encoder", "model": "local/tiny", "max_length": 16}
STATIC = {"kind": "static", "model": "local/tiny", "max_length": 16}
TRAINING = {"max_steps": 6, "batch_size": 16, "learning_rate": 1e-3, "device": "cpu"}
TRIED = {"kind": "auto", "candidates": [{"kind": "all"}, {"kind": "random"}]}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Sums in one order: equal weights are promised for one number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return add_models(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def workshop(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, models_dir: Path
) -> Iterator[Workshop]:
    """One for all of these tests: a parent takes a whole life to make."""
    folder = tmp_path_factory.mktemp("workshop")
    shutil.copyfile(sqlite_template, folder / "llkd.db")
    database = Database(make_url(f"sqlite:///{folder / 'llkd.db'}"))
    yield Workshop(database, folder / "var", models_dir)
    database.dispose()


def add_job(workshop: Workshop, *, first: int, parent: ModelId | None, **spec: Any) -> None:
    """A job about 200 texts of its own, which begin with this number."""
    rows = make_rows(200, gold=0, first=first)
    dataset_id = add_dataset(workshop.database, workshop.data_dir, rows)
    asked = make_spec(**{"student": ENCODER, "training": TRAINING} | spec)
    add_distillation(workshop.database, dataset_id, spec=asked, parent_model_id=parent)


def live(job: Job) -> dict[Stage, Json]:
    """The whole life of a job."""
    outputs: dict[Stage, Json] = {}
    for each, work in (
        (Stage.LABEL, label),
        (Stage.TRAIN, train),
        (Stage.EVALUATE, evaluate_student),
        (Stage.EXPORT, export),
    ):
        outputs[each] = work(job, outputs)
    return outputs


def run(job: Job) -> Json:
    return train(job, {Stage.LABEL: label(job, {})})


@pytest.fixture(scope="module", params=[ENCODER, STATIC], ids=["encoder", "static"])
def any_parent(workshop: Workshop, request: pytest.FixtureRequest) -> tuple[ModelId, Json]:
    """A model of another job, of either kind, and what its train stage left."""
    return make_parent(workshop, request.param)


@pytest.fixture(scope="module")
def parent(workshop: Workshop) -> tuple[ModelId, Json]:
    return make_parent(workshop, ENCODER)


def make_parent(workshop: Workshop, student: Json) -> tuple[ModelId, Json]:
    add_job(workshop, first=0, parent=None, student=student)
    job = workshop.claim()
    outputs = live(job)
    # Its child asks what it learned from.
    job.book.finish(Stage.LABEL, outputs[Stage.LABEL], started_at=EPOCH)
    return ModelId(outputs[Stage.EXPORT]["model_id"]), outputs[Stage.TRAIN]


def add_model(workshop: Workshop, folder: Path) -> ModelId:
    """A model with these files, whatever they are."""
    artifact = ArtifactStore(workshop.data_dir / "artifacts").put_tree(folder)
    with workshop.database.write() as session:
        job = make_job(session, state=JobState.SUCCEEDED)
        make_model(session, job, artifact)
        return session.scalars(select(ModelRow.id).where(ModelRow.job_id == job.id)).one()


def first_weights(job: Job) -> str:
    """Sha256 of the weights before the first step."""
    candidate = job.spec.candidates()[0]
    return stage._build(job, candidate, class_count=3).weights_sha256()


class TestFirstWeights:
    def test_they_are_the_parents_with_its_head(
        self, workshop: Workshop, any_parent: tuple[ModelId, Json]
    ) -> None:
        model_id, trained = any_parent
        student = trained["candidate"]["student"]
        add_job(workshop, first=1000, parent=model_id, student=student)
        assert first_weights(workshop.claim()) == trained["weights_sha256"]

    def test_they_answer_as_the_served_model(
        self, workshop: Workshop, parent: tuple[ModelId, Json]
    ) -> None:
        model_id, _ = parent
        add_job(workshop, first=1000, parent=model_id)
        job = workshop.claim()
        texts = [row["text"] for row in make_rows(20, first=5000)]
        student = stage._build(job, job.spec.candidates()[0], class_count=3)
        with workshop.database.read() as session:
            row = session.get(ModelRow, model_id)
            assert row is not None
        served = Predictor.load(job.artifacts.tree(row.artifact)).classify(texts)
        answered = student.predict(texts).probabilities
        np.testing.assert_allclose(answered, served.probabilities, atol=1e-4)

    def test_all_layers_may_learn_where_only_the_top_did(
        self, workshop: Workshop, parent: tuple[ModelId, Json]
    ) -> None:
        model_id, trained = parent
        student = ENCODER | {"trainable": "all"}
        add_job(workshop, first=1000, parent=model_id, student=student)
        job = workshop.claim()
        assert first_weights(job) == trained["weights_sha256"]
        assert run(job)["weights_sha256"] != trained["weights_sha256"]

    def test_another_kind_of_student_is_no_continuation(
        self, workshop: Workshop, parent: tuple[ModelId, Json]
    ) -> None:
        artifacts = ArtifactStore(workshop.data_dir / "artifacts")
        spec = EncoderSpec(model="local/tiny", max_length=16)
        with verified(artifacts, parent[1]["student"]) as folder:
            for changed, classes in ((spec, 4), (spec.model_copy(update={"max_length": 8}), 3)):
                with pytest.raises(StudentMismatch):
                    continue_student(
                        changed, TrainingSpec(device="cpu"), class_count=classes, trained=folder
                    )


class TestTraining:
    def test_it_goes_on_from_there_and_the_model_tells_of_it(
        self, workshop: Workshop, parent: tuple[ModelId, Json]
    ) -> None:
        model_id, trained = parent
        add_job(workshop, first=1000, parent=model_id)
        job = workshop.claim()
        outputs = live(job)
        add_job(workshop, first=1000, parent=None)
        fresh = run(workshop.claim())
        weights = {trained["weights_sha256"], fresh["weights_sha256"]}
        assert outputs[Stage.TRAIN]["weights_sha256"] not in weights
        with workshop.database.read() as session:
            row = session.get(ModelRow, outputs[Stage.EXPORT]["model_id"])
            assert row is not None
            assert (row.parent_model_id, row.base_model) == (model_id, "local/tiny")
        card = job.artifacts.tree(row.artifact)["README.md"].read_text()
        assert "Started from the model" in card
        assert model_id.replace("_", r"\_") in card

    def test_after_a_crash_it_ends_with_the_weights_of_an_undisturbed_one(
        self, workshop: Workshop, any_parent: tuple[ModelId, Json]
    ) -> None:
        model_id, trained = any_parent
        student = trained["candidate"]["student"]
        add_job(workshop, first=1000, parent=model_id, student=student)
        expected = run(workshop.claim())
        add_job(workshop, first=1000, parent=model_id, student=student)
        crash = {"TESTING": "1", "FAULT": "train.step:raise:4:1"}
        job = workshop.claim(environment=crash, checkpoint_seconds=0)
        with pytest.raises(InjectedFault):
            run(job)
        workshop.give_back(job)
        again = workshop.claim()
        assert again.row.checkpoint is not None
        output = run(again)
        assert output["weights_sha256"] == expected["weights_sha256"]
        assert output["counters"] == expected["counters"]

    def test_each_selection_starts_from_the_parent(
        self, workshop: Workshop, parent: tuple[ModelId, Json]
    ) -> None:
        model_id, _ = parent
        add_job(workshop, first=1000, parent=model_id, selection=TRIED)
        tried = run(workshop.claim())["candidates"]
        alone = []
        for selection in TRIED["candidates"]:
            add_job(workshop, first=1000, parent=model_id, selection=selection)
            alone.append(run(workshop.claim())["student"])
        assert [each["student"] for each in tried] == alone


class TestParentLost:
    def test_a_deleted_parent_fails_the_job(self, workshop: Workshop, tmp_path: Path) -> None:
        (tmp_path / "model.safetensors").write_bytes(b"weights")
        model_id = add_model(workshop, tmp_path)
        add_job(workshop, first=1000, parent=model_id)
        with workshop.database.write() as session:
            row = session.get(ModelRow, model_id)
            assert row is not None
            row.deleted_at = db_now()
        with pytest.raises(ParentGone, match=model_id):
            workshop.claim()
        assert ParentGone.code == "parent-model-gone"

    def test_damaged_weights_are_never_learned_on_from(
        self, workshop: Workshop, tmp_path: Path
    ) -> None:
        (tmp_path / "model.safetensors").write_bytes(b"other weights")
        add_job(workshop, first=1000, parent=add_model(workshop, tmp_path))
        job = workshop.claim()
        assert job.parent is not None
        job.artifacts.tree(job.parent.artifact)["model.safetensors"].write_bytes(b"other")
        outputs = {Stage.LABEL: label(job, {})}
        with pytest.raises(ModelDamaged):
            train(job, outputs)
