"""Rows that certify are asked about and nothing else; the model of the job is certified by them."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from core.artifacts import ArtifactStore
from core.db.base import EPOCH
from core.db.session import Database
from core.label_files import UNASKED, Role, iter_labels
from core.lifecycle import Purpose, Stage
from llkd.certification import CERTIFICATION, read_certification
from llkd.predictor_manifest import read_manifest
from tests.worker.corpus import add_dataset, add_distillation, add_models, make_rows, make_spec
from tests.worker.workshop import Workshop
from worker.job import Job
from worker.pool import load_answers
from worker.protocol import Json
from worker.roles import Roles
from worker.stages.evaluate import evaluate_student
from worker.stages.export import export
from worker.stages.label import label
from worker.stages.train import train

ASKED = {"rows": 100}


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return add_models(tmp_path_factory.mktemp("data"))


@pytest.fixture
def workshop(sqlite_database: Database, tmp_path: Path, models_dir: Path) -> Workshop:
    return Workshop(sqlite_database, tmp_path / "var", models_dir)


def claimed(workshop: Workshop, rows: list[Json], *, spec: Json, **given: Any) -> Job:
    dataset_id = add_dataset(workshop.database, workshop.data_dir, rows)
    add_distillation(workshop.database, dataset_id, spec=make_spec(**spec), **given)
    return workshop.claim()


def entries(job: Job, output: Json) -> list[Json]:
    path = job.artifacts.path(output["labels"])
    return [entry for chunk in iter_labels(path) for entry in chunk]


def roles(found: list[Json]) -> Counter[str]:
    return Counter(entry["role"] for entry in found)


def asked(found: list[Json]) -> Counter[str]:
    return Counter(entry["role"] for entry in found if entry["status"] != UNASKED)


class TestLabelling:
    def test_as_many_as_asked_are_answered_and_not_trained_on(self, workshop: Workshop) -> None:
        job = claimed(workshop, make_rows(240, gold=40), spec={"certification": ASKED})
        output = label(job, {})
        found = entries(job, output)
        assert roles(found) == {"train": 100, "certification": 100, "evaluation": 40}
        assert output["counts"]["asked"] == 240 == sum(asked(found).values())
        trained = load_answers(job, {Stage.LABEL: output}).rows
        assert {found[row]["role"] for row in trained.tolist()} == {"train"}

    def test_which_ones_depends_on_the_texts_alone(self, workshop: Workshop) -> None:
        drawn = []
        rows = make_rows(240, gold=40)
        for order in (rows, rows[::-1]):
            dataset_id = add_dataset(workshop.database, workshop.data_dir, order)
            add_distillation(workshop.database, dataset_id)
            job = workshop.claim()
            path = job.artifacts.path(job.dataset.rows_artifact)
            of = Roles.within(path).with_certification(path, count=50)
            drawn.append({row["text"] for row in order if of.of(row) is Role.CERTIFICATION})
        assert drawn[0] == drawn[1]
        assert len(drawn[0]) == 50

    def test_without_a_word_of_it_nothing_changes(self, workshop: Workshop) -> None:
        job = claimed(workshop, make_rows(240, gold=40), spec={})
        assert roles(entries(job, label(job, {}))) == {"train": 200, "evaluation": 40}

    def test_a_short_budget_reaches_them_first(self, workshop: Workshop) -> None:
        job = claimed(
            workshop, make_rows(400, gold=0), spec={"certification": ASKED}, cap_calls=220
        )
        output = label(job, {})
        assert asked(entries(job, output)) == {"certification": 100, "train": 120}
        assert output["counts"]["asked"] == 220

    def test_what_it_does_not_reach_is_left_out(self, workshop: Workshop) -> None:
        rows = {"rows": 200}
        job = claimed(workshop, make_rows(400, gold=0), spec={"certification": rows}, cap_calls=220)
        found = entries(job, label(job, {}))
        assert roles(found)["certification"] == 200
        assert asked(found) == {"certification": 200, "train": 20}

    def test_a_pilot_does_not_ask_about_them(self, workshop: Workshop) -> None:
        job = claimed(
            workshop,
            make_rows(400, gold=0),
            spec={"certification": ASKED},
            purpose=Purpose.PILOT.value,
            cap_calls=300,
        )
        assert asked(entries(job, label(job, {}))) == {"train": 300}


class TestExport:
    def test_the_model_is_certified_on_the_rows_kept_for_it(self, workshop: Workshop) -> None:
        job = claimed(workshop, make_rows(300, gold=40), spec={"certification": ASKED})
        output, files = exported(job)
        cascade = output["cascade"]
        assert (cascade["rows"], cascade["source"]) == (100, "certification")
        assert output["no_cascade"] is None
        found = read_certification(files[CERTIFICATION])
        halves = found.engines["onnxruntime"]
        assert (len(halves.shaping), len(halves.certifying)) == (50, 50)
        assert read_manifest(files["llkd.json"]).temperature == cascade["temperature"]
        assert {point["target"] for point in cascade["curve"]} >= {0.8, 0.99}
        assert all(
            point["bound"] >= point["target"] for point in cascade["curve"] if point["certified"]
        )

    def test_else_on_those_that_measure(self, workshop: Workshop) -> None:
        output, files = exported(claimed(workshop, make_rows(250, gold=60), spec={}))
        assert (output["cascade"]["rows"], output["cascade"]["source"]) == (50, "evaluation")
        assert CERTIFICATION in files

    def test_a_replay_uses_the_answers_that_are_there(self, workshop: Workshop) -> None:
        spec = {"certification": ASKED}
        earlier = claimed(workshop, make_rows(300, gold=0), spec=spec)
        earlier.book.finish(Stage.LABEL, label(earlier, {}), started_at=EPOCH)
        add_distillation(
            workshop.database,
            earlier.row.dataset_id,
            spec=make_spec(**spec),
            from_job_id=earlier.row.id,
        )
        again = workshop.claim()
        output, _ = exported(again)
        assert (output["cascade"]["rows"], output["cascade"]["source"]) == (100, "certification")
        assert workshop.row(again.row.id).spent_calls == 0

    @pytest.mark.parametrize(("gold", "why"), [(0, "no_texts"), (30, "too_few_texts")])
    def test_with_too_few_there_is_none_and_it_says_why(
        self, workshop: Workshop, gold: int, why: str
    ) -> None:
        output, files = exported(claimed(workshop, make_rows(200, gold=gold), spec={}))
        assert (output["cascade"], output["no_cascade"]) == (None, why)
        assert CERTIFICATION not in files
        assert read_manifest(files["llkd.json"]).temperature is None


def exported(job: Job) -> tuple[Json, dict[str, Path]]:
    """What the last stage of the job leaves, and the model's files."""
    outputs: dict[Stage, Json] = {}
    outputs[Stage.LABEL] = label(job, outputs)
    outputs[Stage.TRAIN] = train(job, outputs)
    outputs[Stage.EVALUATE] = evaluate_student(job, outputs)
    output = export(job, outputs)
    return output, _files(job.artifacts, output["artifact"])


def _files(artifacts: ArtifactStore, tree: str) -> dict[str, Path]:
    return dict(artifacts.tree(tree))
