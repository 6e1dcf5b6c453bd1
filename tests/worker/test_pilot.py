"""A pilot asks about a few texts, measures with gold alone, and forecasts."""

from collections import Counter
from pathlib import Path

import pytest

from core.db.session import Database
from core.label_files import iter_labels
from core.lifecycle import LIVES, Purpose, Stage
from tests.worker.corpus import add_dataset, add_distillation, make_rows, make_spec
from tests.worker.workshop import Workshop
from worker.job import Job
from worker.protocol import Json
from worker.stages import label as label_stage
from worker.stages.forecast import forecast_job
from worker.stages.label import label


@pytest.fixture
def workshop(sqlite_database: Database, tmp_path: Path) -> Workshop:
    return Workshop(sqlite_database, tmp_path / "var", tmp_path / "models")


def piloted(workshop: Workshop, rows: list[Json], *, other: list[Json] | None = None) -> Job:
    dataset_id = add_dataset(workshop.database, workshop.data_dir, rows)
    evaluation_id = None
    if other is not None:
        evaluation_id = add_dataset(workshop.database, workshop.data_dir, other)
    add_distillation(
        workshop.database,
        dataset_id,
        spec=make_spec(),
        purpose=Purpose.PILOT.value,
        evaluation_dataset_id=evaluation_id,
        cap_calls=300,
    )
    return workshop.claim()


def roles(job: Job, output: Json) -> Counter[tuple[str, bool]]:
    chunks = iter_labels(job.artifacts.path(output["labels"]))
    return Counter(
        (entry["role"], entry["status"] == "answered") for chunk in chunks for entry in chunk
    )


def test_its_life_is_short(workshop: Workshop) -> None:
    job = piloted(workshop, make_rows(100, gold=0))
    assert job.life == LIVES[Purpose.PILOT] == (Stage.LABEL, Stage.FORECAST)


def test_three_hundred_texts_are_asked_about_and_no_gold_row(workshop: Workshop) -> None:
    job = piloted(workshop, make_rows(500, gold=80))
    output = label(job, {})
    assert roles(job, output) == {
        ("train", True): 300,
        ("train", False): 120,
        ("evaluation", False): 80,
    }
    assert (output["counts"]["asked"], output["buying"]) == (300, None)


def test_the_texts_are_drawn_from_the_whole_file(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_stage, "PILOT_TEXTS", 40)
    job = piloted(workshop, make_rows(400, gold=0))
    chunks = iter_labels(job.artifacts.path(label(job, {})["labels"]))
    entries = [entry for chunk in chunks for entry in chunk]
    places = [place for place, entry in enumerate(entries) if entry["status"] == "answered"]
    assert len(places) == 40
    assert places[0] < 100
    assert places[-1] > 300


def test_with_gold_the_forecast_is_against_gold(workshop: Workshop) -> None:
    job = piloted(workshop, make_rows(1000, gold=100))
    forecast = forecast_job(job, {Stage.LABEL: label(job, {})})["forecast"]
    assert (forecast["against"], forecast["measured_on"]) == ("gold", 100)
    assert [point["answers"] for point in forecast["points"]] == [300, 600, 900]
    for point in forecast["points"]:
        assert 0 <= point["low"] <= point["value"] <= point["high"] <= 1


def test_an_evaluation_dataset_measures_and_is_not_asked_about(workshop: Workshop) -> None:
    other = make_rows(120, gold=120, first=5000)
    job = piloted(workshop, make_rows(400, gold=0), other=other)
    output = label(job, {})
    assert output["evaluation_labels"] is None
    forecast = forecast_job(job, {Stage.LABEL: output})["forecast"]
    assert (forecast["against"], forecast["measured_on"]) == ("gold", 120)


def test_without_gold_it_is_against_the_teacher(workshop: Workshop) -> None:
    job = piloted(workshop, make_rows(310, gold=0))
    forecast = forecast_job(job, {Stage.LABEL: label(job, {})})["forecast"]
    assert (forecast["against"], forecast["measured_on"]) == ("teacher", 100)
    assert [point["answers"] for point in forecast["points"]] == [300, 310]
