"""What is measured, and what is not for want of an answer."""

from pathlib import Path
from typing import Any

import pytest

from core.db.session import Database
from core.lifecycle import Stage
from tests.worker.corpus import add_dataset, add_distillation, add_models, make_rows, make_spec
from tests.worker.workshop import Workshop
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
    job = workshop.claim()
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
