"""The stored audit: planted mistakes of the teacher stand among the first."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.db.session import Database
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
from worker.job import Job
from worker.protocol import Json
from worker.stages.evaluate import evaluate_student
from worker.stages.label import label
from worker.stages.train import train

WRONG = range(10, 200, 19)


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return add_models(tmp_path_factory.mktemp("data"))


@pytest.fixture
def workshop(sqlite_database: Database, tmp_path: Path, models_dir: Path) -> Workshop:
    return Workshop(sqlite_database, tmp_path / "var", models_dir)


def planted() -> list[Json]:
    """Answers that follow the texts, but for ten; the first row measures and is not trained on."""
    rows = make_rows(200, gold=1)
    for place, row in enumerate(rows):
        truth = place % 3
        telling = ("refund", "crash", "password")[truth]
        row["text"] = f"{telling} {telling} {row['text'].split(' ', 1)[1]}"
        row["gold"] = LABELS[truth] if place == 0 else None
        row["teacher_label"] = LABELS[(truth + 1) % 3 if place in WRONG else truth]
    return rows


def audited(workshop: Workshop, rows: list[Json], **spec: Any) -> tuple[Job, Json]:
    dataset_id = add_dataset(workshop.database, workshop.data_dir, rows)
    add_distillation(workshop.database, dataset_id, spec=make_spec(**spec))
    job = workshop.claim()
    outputs: dict[Stage, Json] = {}
    for stage, work in (
        (Stage.LABEL, label),
        (Stage.TRAIN, train),
        (Stage.EVALUATE, evaluate_student),
    ):
        outputs[stage] = work(job, outputs) | {"effort": {}}
    with job.artifacts.open(outputs[Stage.EVALUATE]["audit"]) as file:
        content: Json = json.load(file)
    return job, content


def test_planted_mistakes_are_the_first_doubts(workshop: Workshop) -> None:
    _, audit = audited(workshop, planted(), confidence="auto", selection={"kind": "all"})
    doubts = audit["lists"]["likely_wrong"]
    found = {doubt["index"] for doubt in doubts[:15]} & set(WRONG)
    assert len(found) >= 6
    for doubt in doubts:
        if doubt["index"] in found:
            assert doubt["suggested"] != doubt["label"]


def test_the_first_text_of_the_pool_is_the_second_row(workshop: Workshop) -> None:
    _, audit = audited(workshop, planted())
    listed = audit["lists"]["likely_wrong"] + audit["lists"]["unfitting"]
    rows = {entry["index"] for entry in listed}
    assert audit["texts"] == 199
    assert 0 not in rows
    assert rows <= set(range(1, 200))


def test_what_was_held_out_has_no_readings(workshop: Workshop) -> None:
    _, audit = audited(workshop, make_rows(800, gold=0), selection={"kind": "all"})
    assert audit["texts"] == 800
    assert 720 <= audit["read"] < 800
