"""The passport says which confidence is read, and the pool reads that one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.db.base import EPOCH
from core.db.session import Database
from core.lifecycle import Stage
from tests.llkd.tiny_bert import CLASS_WORDS
from tests.worker.corpus import LABELS, add_dataset, add_distillation, make_rows, make_spec
from tests.worker.workshop import Workshop
from worker.confidence import load_estimate
from worker.job import Job
from worker.pool import load_pool
from worker.protocol import Json
from worker.stages.label import label


@pytest.fixture
def workshop(sqlite_database: Database, tmp_path: Path) -> Workshop:
    return Workshop(sqlite_database, tmp_path / "var", tmp_path / "models")


def labelled(workshop: Workshop, rows: list[Json], **spec: Any) -> tuple[Job, Json]:
    dataset_id = add_dataset(workshop.database, workshop.data_dir, rows)
    add_distillation(workshop.database, dataset_id, spec=make_spec(**spec))
    job = workshop.claim()
    return job, label(job, {})


def hard_labels(count: int = 240) -> list[Json]:
    return [row | {"teacher_confidence": None} for row in make_rows(count, gold=0)]


class TestPassport:
    def test_hard_labels_that_follow_the_text_get_an_estimate(self, workshop: Workshop) -> None:
        job, output = labelled(workshop, hard_labels(), confidence="auto")
        passport = output["confidence"]
        assert (passport["used"], passport["known"]) == ("estimated", 0)
        assert passport["skill"] > 0.3
        assert passport["agreement"] is None
        confidence = load_pool(job, {Stage.LABEL: output}).confidence
        assert len(confidence) == 240
        assert ((confidence >= 0) & (confidence <= 1)).all()

    def test_labels_by_lot_have_no_confidence_at_all(self, workshop: Workshop) -> None:
        rows = hard_labels()
        lot = np.random.default_rng(0).permutation([row["teacher_label"] for row in rows])
        for row, drawn in zip(rows, lot, strict=True):
            row["teacher_label"] = str(drawn)
        job, output = labelled(workshop, rows, confidence="auto")
        assert output["confidence"]["used"] == "none"
        assert np.isnan(load_pool(job, {Stage.LABEL: output}).confidence).all()

    def test_given_is_given(self, workshop: Workshop) -> None:
        rows = make_rows(100, gold=0)
        job, output = labelled(workshop, rows, confidence="given")
        assert output["estimated_confidence"] is None
        assert output["confidence"] == {
            "used": "given",
            "known": 100,
            "unknown": 0,
            "distinct": 100,
            "tied": 0.0,
            "skill": None,
            "agreement": None,
        }
        confidence = load_pool(job, {Stage.LABEL: output}).confidence
        assert confidence.tolist() == [row["teacher_confidence"] for row in rows]

    def test_what_the_teacher_says_and_what_is_estimated_are_read_together(
        self, workshop: Workshop
    ) -> None:
        rows = make_rows(240, gold=0)
        for row in rows:
            # Surer where it is right: a telling word and its label then agree.
            index = LABELS.index(row["teacher_label"])
            is_right = row["text"].split()[0] in CLASS_WORDS[index]
            row["teacher_confidence"] *= 1.0 if is_right else 0.5
        job, output = labelled(workshop, rows, confidence="auto")
        assert output["confidence"]["used"] == "both"
        estimate = load_estimate(job.artifacts, output)
        assert estimate is not None
        given = np.array([row["teacher_confidence"] for row in rows])
        confidence = load_pool(job, {Stage.LABEL: output}).confidence
        assert confidence == pytest.approx((given + estimate.values) / 2)

    def test_too_few_texts_are_left_as_they_are(self, workshop: Workshop) -> None:
        _, output = labelled(workshop, hard_labels(49), confidence="estimated")
        assert (output["confidence"]["used"], output["estimated_confidence"]) == ("given", None)

    def test_a_replay_may_ask_for_another_confidence(self, workshop: Workshop) -> None:
        earlier, output = labelled(workshop, hard_labels(), confidence="given")
        earlier.book.finish(Stage.LABEL, output, started_at=EPOCH)
        add_distillation(
            workshop.database,
            earlier.row.dataset_id,
            spec=make_spec(confidence="estimated"),
            from_job_id=earlier.row.id,
        )
        again = label(workshop.claim(), {})
        assert again["labels"] == output["labels"]
        assert again["confidence"]["used"] == "estimated"
        assert again["estimated_confidence"] is not None
