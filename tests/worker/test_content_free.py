"""Questions about nothing are paid for and stored like any other, and are no text's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.db.session import Database
from core.db.tables import TeacherAnswerRow
from core.label_files import iter_labels
from core.lifecycle import Purpose
from llkd.content_free import CONTENT_FREE_TEXTS
from llkd.types import FloatArray
from tests.chat_server import MODEL, Offers, make_app, make_model, running
from tests.worker.corpus import add_dataset, add_distillation, make_rows, make_spec
from tests.worker.workshop import Workshop
from worker.asking.account import JobAccount
from worker.asking.opening import open_desk
from worker.asking.purse import Purse
from worker.content_free import ask_content_free
from worker.job import Job
from worker.protocol import Json
from worker.stages.label import label

ROWS = 30
ASIDES = len(CONTENT_FREE_TEXTS)


@pytest.fixture
def workshop(sqlite_database: Database, tmp_path: Path) -> Workshop:
    return Workshop(sqlite_database, tmp_path / "var", tmp_path / "models")


@pytest.fixture(scope="module")
def chat() -> Iterator[str]:
    with running(make_app(make_model(("A", "B", "C")), Offers())) as url:
        yield url


def claim(
    workshop: Workshop,
    url: str,
    *,
    calibration: str = "auto",
    confidence: str = "auto",
    **given: Any,
) -> Job:
    teacher = {
        "kind": "openai",
        "base_url": url,
        "model": MODEL,
        "concurrency": 8,
        "confidence": confidence,
    }
    dataset = add_dataset(workshop.database, workshop.data_dir, make_rows(ROWS, gold=0))
    spec = make_spec(teacher=teacher, calibration=calibration)
    add_distillation(workshop.database, dataset, spec=spec, **given)
    return workshop.claim(teacher_hosts=(url.removesuffix("/v1"),))


def stored(workshop: Workshop) -> int:
    with workshop.database.read() as session:
        return session.query(TeacherAnswerRow).count()


def told(job: Job) -> Json:
    output = label(job, {})
    calibration: Json = output["calibration"] | {"counts": output["counts"], "output": output}
    return calibration


def ask(job: Job) -> tuple[FloatArray | None, Json, Json]:
    """What was answered; how many of which texts, and which tokens, the desk counts."""
    account = JobAccount(job.assignment.claim)
    desk = open_desk(job, Purse(job.database, tenant_id=job.tenant_id, account=account))
    try:
        answers = ask_content_free(job, desk)
    finally:
        desk.close()
    return answers, desk.tally.counts(), desk.tally.tokens()


class TestAJobWithoutGold:
    def test_asks_after_its_texts_and_calibrates_by_it(self, workshop: Workshop, chat: str) -> None:
        job = claim(workshop, chat)
        calibration = told(job)
        assert (calibration["method"], calibration["reason"]) == ("contextual", "unchecked")
        assert sum(calibration["parameters"]["content_free"]) == pytest.approx(1)
        [chunk] = iter_labels(job.artifacts.path(calibration["output"]["labels"]))
        answered = [entry for entry in chunk if entry["probabilities"] is not None]
        assert {entry["calibration_id"] for entry in answered} == {calibration["id"]}
        assert all(entry["confidence"] == max(entry["probabilities"]) for entry in answered)

    def test_pays_for_it_and_counts_it_among_no_texts(self, workshop: Workshop, chat: str) -> None:
        job = claim(workshop, chat)
        assert told(job)["counts"]["asked"] == ROWS
        row = workshop.row(job.row.id)
        assert (row.spent_calls, row.held_calls) == (ROWS + ASIDES, 0)
        assert stored(workshop) == ROWS + ASIDES

    def test_finds_it_in_the_store_the_next_time(self, workshop: Workshop, chat: str) -> None:
        first = told(claim(workshop, chat))
        again = claim(workshop, chat)
        assert told(again)["id"] == first["id"]
        assert workshop.row(again.row.id).spent_calls == 0

    def test_leaves_the_texts_their_budget(self, workshop: Workshop, chat: str) -> None:
        calibration = told(claim(workshop, chat, cap_calls=ROWS))
        assert calibration["counts"]["asked"] == ROWS
        assert calibration["output"]["cut_short"] is None
        assert calibration["reason"] == "too_little_gold"

    def test_does_so_first_where_it_is_asked_for_by_name(
        self, workshop: Workshop, chat: str
    ) -> None:
        job = claim(workshop, chat, calibration="contextual", cap_calls=ROWS - 5)
        calibration = told(job)
        assert calibration["method"] == "contextual"
        assert calibration["counts"]["asked"] == ROWS - 5 - ASIDES
        assert workshop.row(job.row.id).spent_calls == ROWS - 5


class TestAJobThatDoesNotAsk:
    def test_has_gold_to_fit_on(self, workshop: Workshop, chat: str) -> None:
        evaluation = add_dataset(
            workshop.database, workshop.data_dir, make_rows(60, gold=60, first=500)
        )
        job = claim(workshop, chat, evaluation_dataset_id=evaluation, calibration="temperature")
        calibration = told(job)
        assert calibration["measured_on"]["which"] == "measuring"
        assert workshop.row(job.row.id).spent_calls == ROWS + 60

    def test_is_a_pilot(self, workshop: Workshop, chat: str) -> None:
        job = claim(workshop, chat, calibration="contextual", purpose=Purpose.PILOT.value)
        assert told(job)["method"] == "none"
        assert workshop.row(job.row.id).spent_calls == ROWS


class TestAskContentFree:
    def test_labels_without_probabilities_say_nothing(self, workshop: Workshop, chat: str) -> None:
        job = claim(workshop, chat, confidence="none")
        assert ask(job)[0] is None

    def test_its_tokens_are_told(self, workshop: Workshop, chat: str) -> None:
        answers, counts, tokens = ask(claim(workshop, chat))
        assert answers is not None
        # The model is random: now and then it says what is no code.
        assert 1 <= len(answers) <= ASIDES
        assert answers.sum(axis=1) == pytest.approx(np.ones(len(answers)))
        assert tokens["input"] > 100 * ASIDES
        assert counts["asked"] == 0
