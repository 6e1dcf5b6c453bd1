"""What is measured, and what is not for want of an answer."""

from pathlib import Path
from typing import Any

import pytest

from core.artifacts import ArtifactStore
from core.dataset_files import read_page
from core.db.session import Database
from core.lifecycle import Stage
from core.measured_files import read_measured
from tests.worker.corpus import add_dataset, add_distillation, add_models, make_rows, make_spec
from tests.worker.workshop import Workshop
from worker.job import Job
from worker.protocol import Json
from worker.stages.evaluate import evaluate_student
from worker.stages.label import label
from worker.stages.train import train


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return add_models(tmp_path_factory.mktemp("data"))


@pytest.fixture
def workshop(sqlite_database: Database, tmp_path: Path, models_dir: Path) -> Workshop:
    return Workshop(sqlite_database, tmp_path / "var", models_dir)


def evaluated(workshop: Workshop, *, cap_calls: int, **spec: Any) -> Json:
    """A job of 120 texts, measured on forty others."""
    dataset_id = add_dataset(workshop.database, workshop.data_dir, make_rows(120, gold=0))
    other = make_rows(40, gold=40, first=5000)
    add_distillation(
        workshop.database,
        dataset_id,
        spec=make_spec(**spec),
        evaluation_dataset_id=add_dataset(workshop.database, workshop.data_dir, other),
        cap_calls=cap_calls,
    )
    return evaluated_job(workshop.claim())


def evaluated_job(job: Job) -> Json:
    outputs: dict[Stage, Json] = {}
    outputs[Stage.LABEL] = label(job, outputs)
    outputs[Stage.TRAIN] = train(job, outputs)
    return evaluate_student(job, outputs)


def test_teacher_and_student_are_measured_on_the_same_rows(workshop: Workshop) -> None:
    report = evaluated(workshop, cap_calls=1000)["report"]
    assert report["teacher"]["rows"] == report["student"]["rows"] == 40
    assert report["student"]["teacher_agreement"]["rows"] == 40


def test_rows_the_budget_did_not_reach_do_not_count_against_the_teacher(
    workshop: Workshop,
) -> None:
    report = evaluated(workshop, cap_calls=130)["report"]
    assert (report["teacher"]["rows"], report["teacher"]["unanswered"]) == (10, 0)
    assert report["student"]["rows"] == 40


def test_a_teacher_that_was_asked_about_none_is_not_measured(workshop: Workshop) -> None:
    output = evaluated(workshop, cap_calls=120)
    assert output["report"]["teacher"] is None
    assert output["metrics"]["teacher_accuracy"] is None
    assert output["report"]["student"]["rows"] == 40
    assert output["report"]["student"]["teacher_agreement"] is None


def test_every_candidate_is_measured_against_gold(workshop: Workshop) -> None:
    """The one that is kept has the figure of the job."""
    tiny = {"model": "local/tiny", "max_length": 16}
    choice = {"candidates": [tiny, tiny | {"kind": "static"}]}
    report = evaluated(workshop, cap_calls=1000, student=choice)["report"]
    values = [each["value"] for each in report["candidates"]]
    assert len(values) == 2
    assert report["student"]["macro_f1"]["value"] in values
    assert evaluated(workshop, cap_calls=1000)["report"]["candidates"] == []


class TestWhereTheyDiffer:
    """Both answers are kept of rows that the student did not learn from."""

    def test_with_gold_they_are_those_that_measure(self, workshop: Workshop) -> None:
        output = evaluated(workshop, cap_calls=130)
        store = ArtifactStore(workshop.data_dir / "artifacts")
        kept = read_measured(store.path(output["measured"]))
        told = output["disagreements"]
        assert kept.index.tolist() == list(range(40))
        # As far as the budget reached.
        assert (told["source"], told["rows"], kept.compared) == ("gold", 10, 10)
        agreed = output["report"]["student"]["teacher_agreement"]["value"]
        assert told["total"] == len(kept.disagreements()) == round((1 - agreed) * 10)
        right = float((kept.gold == kept.student).mean())
        assert right == pytest.approx(output["report"]["student"]["accuracy"]["value"])

    def test_without_gold_they_are_those_that_certify(self, workshop: Workshop) -> None:
        job = claimed(workshop, make_rows(240, gold=0), certification={"rows": 100})
        output = evaluated_job(job)
        kept = read_measured(job.artifacts.path(output["measured"]))
        assert output["disagreements"]["source"] == "certification"
        assert (len(kept.index), set(kept.gold.tolist())) == (100, {-1})

    def test_without_either_they_are_the_held_out_slice(self, workshop: Workshop) -> None:
        job = claimed(workshop, make_rows(700, gold=0))
        output = evaluated_job(job)
        kept = read_measured(job.artifacts.path(output["measured"]))
        told, agreement = output["disagreements"], output["report"]["held_out_agreement"]
        assert told["source"] == "held_out"
        assert told["rows"] == agreement["rows"] == len(kept.index) > 0
        assert told["total"] == round((1 - agreement["value"]) * agreement["rows"])
        # The teacher's answer to each row stands in the dataset.
        rows = read_page(job.artifacts.path(job.dataset.rows_artifact), offset=0, limit=700)
        names = job.spec.label_names
        for index, teacher in zip(kept.index.tolist(), kept.teacher.tolist(), strict=True):
            assert rows[index]["teacher_label"] == names[teacher]

    def test_where_there_is_nothing_to_compare_the_file_is_empty(self, workshop: Workshop) -> None:
        output = evaluated_job(claimed(workshop, make_rows(120, gold=0)))
        assert output["disagreements"] == {"source": "held_out", "rows": 0, "total": 0}
        assert output["report"]["held_out_agreement"] is None


def claimed(workshop: Workshop, rows: list[Json], **spec: Any) -> Job:
    dataset_id = add_dataset(workshop.database, workshop.data_dir, rows)
    add_distillation(workshop.database, dataset_id, spec=make_spec(**spec))
    return workshop.claim()
