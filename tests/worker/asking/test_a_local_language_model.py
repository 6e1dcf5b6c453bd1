"""A job whose teacher is a language model on the worker's own machine."""

import math
from pathlib import Path
from typing import Any

import pytest

from core.db.session import Database
from core.db.tables import TeacherAnswerRow
from llkd.content_free import CONTENT_FREE_TEXTS
from llkd.errors import ModelNotAllowed
from tests.llkd.tiny_bert import write_tiny_bert
from tests.llkd.tiny_lm import CONTEXT, write_tiny_lm
from tests.worker.corpus import LABELS, add_dataset, add_distillation, make_rows, make_spec
from tests.worker.workshop import Workshop
from worker.job import Job
from worker.stages.label import label

ROWS = 24


@pytest.fixture(scope="module")
def writers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with `local/lm`, and `local/bert`, which is no language model."""
    folder = tmp_path_factory.mktemp("writers")
    write_tiny_lm(folder / "lm")
    write_tiny_bert(folder / "bert")
    return folder


@pytest.fixture
def workshop(database: Database, tmp_path: Path, writers: Path) -> Workshop:
    return Workshop(database, tmp_path / "var", writers)


def claim(
    workshop: Workshop,
    *,
    model: str = "local/lm",
    long: int = 0,
    calibration: str = "none",
    **given: Any,
) -> Job:
    rows = make_rows(ROWS, gold=0)
    for row in rows[:long]:
        row["text"] += " refund" * CONTEXT
    teacher = {"kind": "huggingface", "model": model, "examples_per_label": 0}
    dataset = add_dataset(workshop.database, workshop.data_dir, rows)
    spec = make_spec(teacher=teacher, calibration=calibration)
    add_distillation(workshop.database, dataset, spec=spec, **given)
    return workshop.claim()


class TestAJob:
    def test_has_every_answer_stored_with_its_probabilities(self, workshop: Workshop) -> None:
        output = label(claim(workshop), {})
        assert output["counts"]["answered"] == ROWS
        assert output["confidence_source"] == "label_logprob"
        with workshop.database.read() as session:
            answers = session.query(TeacherAnswerRow).all()
        assert len(answers) == ROWS
        for answer in answers:
            assert answer.label in LABELS
            assert answer.probabilities is not None
            assert math.isclose(sum(answer.probabilities), 1)
            assert answer.confidence == max(answer.probabilities)
            assert answer.confidence_source == "label_logprob"
            assert answer.label_mass is not None
            assert 0 < answer.label_mass < 1
            assert (answer.model, answer.rung) == ("huggingface/local/lm", "prefix_tree")
            assert answer.tokens_in > 0

    def test_spends_calls_and_no_money(self, workshop: Workshop) -> None:
        job = claim(workshop, cap_calls=20)
        assert label(job, {})["cut_short"] == "budget"
        row = workshop.row(job.row.id)
        assert (row.spent_calls, row.spent_micros) == (20, 0)

    def test_asks_nothing_twice(self, workshop: Workshop) -> None:
        label(claim(workshop), {})
        assert label(claim(workshop), {})["counts"]["cached"] == ROWS

    def test_counts_what_the_model_cannot_read(self, workshop: Workshop) -> None:
        counts = label(claim(workshop, long=2), {})["counts"]
        assert (counts["too_long"], counts["answered"]) == (2, ROWS - 2)

    def test_is_told_apart_from_what_the_model_likes_anyway(self, workshop: Workshop) -> None:
        output = label(claim(workshop, calibration="auto"), {})
        assert output["counts"]["asked"] == ROWS
        assert output["calibration"]["method"] == "contextual"
        with workshop.database.read() as session:
            assert session.query(TeacherAnswerRow).count() == ROWS + len(CONTENT_FREE_TEXTS)

    def test_with_a_model_that_writes_nothing_fails(self, workshop: Workshop) -> None:
        with pytest.raises(ModelNotAllowed, match="causal language models"):
            label(claim(workshop, model="local/bert"), {})
