"""A replay with a person's labels: learned from, and taken for nobody else's."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.db.base import EPOCH
from core.db.session import Database
from core.label_files import PERSON, iter_labels
from core.lifecycle import Stage
from llkd.held_out import find_held_out
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
from worker.pool import load_answers, load_pool
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


def first_job(workshop: Workshop, rows: list[Json], **spec: Any) -> tuple[Job, Json]:
    """A job whose label stage is done."""
    dataset_id = add_dataset(workshop.database, workshop.data_dir, rows)
    add_distillation(workshop.database, dataset_id, spec=make_spec(**spec))
    return _labelled(workshop)


def replay(
    workshop: Workshop, earlier: Job, corrections: dict[int, str] | None
) -> tuple[Job, Json]:
    add_distillation(
        workshop.database,
        earlier.dataset.id,
        spec=earlier.row.spec,
        from_job_id=earlier.row.id,
        corrections=None
        if corrections is None
        else [{"index": index, "label": name} for index, name in corrections.items()],
    )
    return _labelled(workshop)


def _labelled(workshop: Workshop) -> tuple[Job, Json]:
    job = workshop.claim()
    output = label(job, {})
    job.book.finish(Stage.LABEL, output, started_at=EPOCH)
    return job, output


def entries(job: Job, output: Json) -> list[Json]:
    path = job.artifacts.path(output["labels"])
    return [entry for chunk in iter_labels(path) for entry in chunk]


def other(name: str) -> str:
    return LABELS[(LABELS.index(name) + 1) % len(LABELS)]


class TestLabelling:
    def test_the_corrected_entries_are_a_persons_and_the_others_stay(
        self, workshop: Workshop
    ) -> None:
        job, output = first_job(workshop, make_rows(200, gold=0))
        before = entries(job, output)
        wanted = {5: other(before[5]["label"]), 150: before[150]["label"]}
        again, corrected = replay(workshop, job, wanted)
        after = entries(again, corrected)
        for place, (old, new) in enumerate(zip(before, after, strict=True)):
            if place in wanted:
                told = (new["label"], new["confidence"], new["confidence_source"])
                assert told == (wanted[place], 1.0, PERSON)
                assert (new["role"], new["probabilities"]) == (old["role"], None)
            else:
                assert new == old
        assert corrected["corrections"] == {"rows": 2, "given": 2, "changed": 1}
        # The teacher's counts are the teacher's.
        assert corrected["counts"]["answered"] == output["counts"]["answered"]

    def test_they_are_kept_when_a_further_replay_goes_from_that_job(
        self, workshop: Workshop
    ) -> None:
        """A newer one of the same text counts."""
        job, output = first_job(workshop, make_rows(200, gold=0))
        before = entries(job, output)
        first = {5: other(before[5]["label"]), 6: other(before[6]["label"])}
        second, _ = replay(workshop, job, first)
        third, changed = replay(workshop, second, {6: before[6]["label"], 7: first[5]})
        found = entries(third, changed)
        assert found[5]["label"] == first[5]
        assert found[6]["label"] == before[6]["label"]
        assert {found[place]["confidence_source"] for place in (5, 6, 7)} == {PERSON}
        assert changed["corrections"]["rows"] == 3
        fourth, unchanged = replay(workshop, third, None)
        assert unchanged["corrections"] == {"rows": 3, "given": 0, "changed": 0}
        assert entries(fourth, unchanged) == found
        # One that goes from the first job has the teacher's answers.
        _, fresh = replay(workshop, job, None)
        assert fresh["labels"] == output["labels"]
        assert "corrections" not in fresh


class TestLearning:
    def test_the_confidence_is_1_whatever_is_read_of_the_teachers(self, workshop: Workshop) -> None:
        job, output = first_job(workshop, make_rows(200, gold=0))
        name = other(entries(job, output)[5]["label"])
        again, corrected = replay(workshop, job, {5: name})
        outputs = {Stage.LABEL: corrected}
        pool, rows = load_pool(again, outputs), load_answers(again, outputs).rows
        (place,) = np.flatnonzero(rows == 5)
        assert (LABELS[pool.labels[place]], pool.confidence[place]) == (name, 1.0)
        assert pool.is_teachers.sum() == len(pool) - 1
        # As if the passport said that nothing is known.
        corrected["confidence"] |= {"used": "none"}
        corrected["estimated_confidence"] = again.artifacts.put(_estimate(again, len(pool)))
        read = load_pool(again, outputs).confidence
        assert read[place] == 1.0
        assert np.isnan(np.delete(read, place)).all()

    def test_the_passport_tells_of_the_teacher_alone(self, workshop: Workshop) -> None:
        job, output = first_job(workshop, make_rows(200, gold=0))
        name = other(entries(job, output)[5]["label"])
        _, corrected = replay(workshop, job, {5: name})
        before, after = output["confidence"], corrected["confidence"]
        assert before["known"] + before["unknown"] == 200
        assert after["known"] + after["unknown"] == 199

    def test_a_text_that_the_teacher_did_not_answer_is_learned_from(
        self, workshop: Workshop
    ) -> None:
        rows = make_rows(200, gold=0)
        for row in rows[:3]:
            row["teacher_label"] = None
        job, output = first_job(workshop, rows)
        assert len(load_answers(job, {Stage.LABEL: output}).rows) == 197
        again, corrected = replay(workshop, job, {0: LABELS[0]})
        assert 0 in load_answers(again, {Stage.LABEL: corrected}).rows


class TestMeasuring:
    def test_no_agreement_with_the_teacher_rests_on_a_persons_label(
        self, workshop: Workshop
    ) -> None:
        """What was corrected leaves the held-out slice, and is trained on."""
        job, output = first_job(workshop, make_rows(700, gold=0))
        outputs = {Stage.LABEL: output}
        pool, rows = load_pool(job, outputs), load_answers(job, outputs).rows
        held = rows[find_held_out(pool, seed=job.spec.training.seed)].tolist()
        names = {place: entries(job, output)[place]["label"] for place in held}
        again, corrected = replay(workshop, job, {place: other(names[place]) for place in held[:5]})
        outputs = {Stage.LABEL: corrected}
        outputs[Stage.TRAIN] = train(again, outputs)
        evaluated = evaluate_student(again, outputs)
        pool, rows = load_pool(again, outputs), load_answers(again, outputs).rows
        held_now = rows[find_held_out(pool, seed=again.spec.training.seed)].tolist()
        assert set(held_now).isdisjoint(held[:5])
        assert evaluated["disagreements"]["rows"] == len(held_now) > 0
        audited = _audit(again, evaluated)
        assert audited["texts"] == 695
        doubted = {each["index"] for each in audited["lists"]["likely_wrong"]}
        assert doubted.isdisjoint(held[:5])


def _audit(job: Job, evaluated: Json) -> Json:
    with job.artifacts.open(evaluated["audit"]) as file:
        found: Json = json.load(file)
    return found


def _estimate(job: Job, size: int) -> Path:
    path = job.artifacts.scratch_path(".npz")
    ones = np.full(size, 0.5)
    with path.open("wb") as file:
        np.savez(file, values=ones, predicted=np.zeros(size, dtype=np.int64), top=ones)
    return path
