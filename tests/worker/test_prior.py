"""Label files are corrected for how often each label occurs, rows that measure included."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.db.session import Database
from core.label_files import iter_labels
from tests.worker.corpus import LABELS, add_dataset, add_distillation, make_rows, make_spec
from tests.worker.workshop import Workshop
from worker.job import Job
from worker.prior import correct_labels
from worker.protocol import Json
from worker.stages.label import label

TRUTH = [0.85, 0.1, 0.05]


@pytest.fixture
def workshop(sqlite_database: Database, tmp_path: Path) -> Workshop:
    return Workshop(sqlite_database, tmp_path / "var", tmp_path / "models")


def skewed_rows(count: int = 400, *, gold: int = 0) -> list[Json]:
    """Answers of a teacher that expects each label equally often, where they are not."""
    generator = np.random.default_rng(7)
    rows = make_rows(count, gold=gold)
    for row in rows:
        truth = int(generator.choice(3, p=TRUTH))
        likelihood = np.exp(1.5 * (generator.normal(size=3) + 1.5 * np.eye(3)[truth]))
        answer = likelihood / likelihood.sum()
        row["gold"] = LABELS[truth] if row["gold"] else None
        row["teacher_probabilities"] = json.dumps(dict(zip(LABELS, answer.tolist(), strict=True)))
        row["teacher_label"] = LABELS[int(answer.argmax())]
        row["teacher_confidence"] = None
        row["truth"] = LABELS[truth]
    return rows


def labelled(workshop: Workshop, rows: list[Json], **spec: Any) -> tuple[Job, Json]:
    stored = [{name: value for name, value in row.items() if name != "truth"} for row in rows]
    dataset_id = add_dataset(workshop.database, workshop.data_dir, stored)
    add_distillation(workshop.database, dataset_id, spec=make_spec(**spec))
    job = workshop.claim()
    return job, label(job, {})


def entries(job: Job, digest: str) -> list[Json]:
    return [entry for chunk in iter_labels(job.artifacts.path(digest)) for entry in chunk]


def test_estimated_answers_are_right_more_often(workshop: Workshop) -> None:
    rows = skewed_rows()
    job, output = labelled(workshop, rows, prior="estimated")
    told = output["prior"]
    assert told["used"] == "estimated"
    assert told["reference"] == pytest.approx([1 / 3] * 3)
    assert told["estimated"] == pytest.approx(TRUTH, abs=0.12)
    corrected = entries(job, output["labels"])
    right = sum(entry["label"] == row["truth"] for entry, row in zip(corrected, rows, strict=True))
    before = sum(row["teacher_label"] == row["truth"] for row in rows)
    assert right > before + 15
    changed = [
        entry["label"] != row["teacher_label"] for entry, row in zip(corrected, rows, strict=True)
    ]
    assert told["changed"] == sum(changed) > 0


def test_each_answer_stays_a_distribution_with_its_own_confidence(workshop: Workshop) -> None:
    job, output = labelled(workshop, skewed_rows(), prior="estimated")
    for entry in entries(job, output["labels"]):
        assert sum(entry["probabilities"]) == pytest.approx(1)
        assert entry["confidence"] == max(entry["probabilities"])
        assert entry["probabilities"][LABELS.index(entry["label"])] == entry["confidence"]


@pytest.mark.parametrize("prior", ["auto", "given"])
def test_provided_answers_are_left_as_they_are(workshop: Workshop, prior: str) -> None:
    rows = skewed_rows()
    job, output = labelled(workshop, rows, prior=prior)
    assert output["prior"] == {"used": "given", "reference": None, "estimated": None, "changed": 0}
    said = [entry["label"] for entry in entries(job, output["labels"])]
    assert said == [row["teacher_label"] for row in rows]


def test_a_few_shot_teacher_is_corrected_against_its_examples(workshop: Workshop) -> None:
    _, output = labelled(workshop, make_rows(120, gold=0), teacher={"kind": "few_shot"})
    told = output["prior"]
    # Two examples and a name each.
    assert (told["used"], told["reference"]) == ("estimated", pytest.approx([1 / 3] * 3))
    assert sum(told["estimated"]) == pytest.approx(1)


def test_hard_labels_cannot_be_corrected(workshop: Workshop) -> None:
    _, output = labelled(workshop, make_rows(120, gold=0), prior="estimated")
    assert output["prior"]["used"] == "given"


def test_rows_that_measure_are_corrected_too_and_do_not_count(workshop: Workshop) -> None:
    rows = skewed_rows(500, gold=100)
    job, output = labelled(workshop, rows, prior="estimated")
    pairs = list(zip(entries(job, output["labels"]), rows, strict=True))
    changed = {
        role: sum(
            entry["label"] != row["teacher_label"] for entry, row in pairs if entry["role"] == role
        )
        for role in ("train", "evaluation")
    }
    assert changed["evaluation"] > 0
    assert output["prior"]["changed"] == changed["train"]


def test_only_rows_chosen_by_lot_tell_how_often_a_label_occurs(workshop: Workshop) -> None:
    rows = skewed_rows(prior_rows := 600)
    job, output = labelled(workshop, rows, prior="given")
    job = Job(**{**vars(job), "spec": job.spec.model_copy(update={"prior": "estimated"})})
    rare = {place for place, row in enumerate(rows) if row["truth"] != LABELS[0]}
    by_lot = set(range(0, prior_rows, 3))
    fair = correct_labels(job, output, by_lot=by_lot)["prior"]["estimated"]
    skewed = correct_labels(job, output, by_lot=rare)["prior"]["estimated"]
    assert fair == pytest.approx(TRUTH, abs=0.16)
    assert skewed[0] < 0.3
    few = correct_labels(job, output, by_lot=set(range(49)))
    assert few["prior"]["used"] == "given"
