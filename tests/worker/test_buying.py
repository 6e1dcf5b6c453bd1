"""Lazy labelling: only what is chosen is asked about, within the budget, and never twice."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from core.db.session import Database
from core.label_files import UNASKED, iter_labels
from core.lifecycle import Stage
from llkd.errors import ModelNotAllowed
from llkd.types import AnswerStatus, Question, TeacherAnswer
from tests.llkd.tiny_bert import CLASS_WORDS
from tests.worker.corpus import add_dataset, add_distillation, make_rows, make_spec
from tests.worker.workshop import Workshop
from worker import buying
from worker.asking import opening
from worker.faults import InjectedFault
from worker.job import Job
from worker.pool import load_pool
from worker.protocol import Json
from worker.stages.label import label

LAZY = {"kind": "llkd", "labeling": "lazy"}
POOL = 400


class TellingTeacher:
    """Knows the telling words, fails where it is told to, and remembers what it was asked."""

    fingerprint = "e" * 64
    model = "telling"
    batch_size = 16

    def __init__(self) -> None:
        self.asked: list[str] = []

    def answer(self, questions: Sequence[Question]) -> list[TeacherAnswer]:
        self.asked += [question.text for question in questions]
        return [self._answer(question.text) for question in questions]

    def _answer(self, text: str) -> TeacherAnswer:
        for place, words in enumerate(CLASS_WORDS):
            if text.split()[0] in words:
                return TeacherAnswer(AnswerStatus.ANSWERED, label=place, confidence=0.9)
        return TeacherAnswer(AnswerStatus.REFUSED)


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch) -> TellingTeacher:
    telling = TellingTeacher()
    monkeypatch.setattr(opening, "build_teacher", lambda *_, **__: telling)
    return telling


@pytest.fixture
def workshop(sqlite_database: Database, tmp_path: Path) -> Workshop:
    return Workshop(sqlite_database, tmp_path / "var", tmp_path / "models")


def add_job(workshop: Workshop, rows: list[Json] | None = None, **given: Any) -> None:
    dataset_id = add_dataset(workshop.database, workshop.data_dir, rows or make_rows(POOL, gold=0))
    add_distillation(workshop.database, dataset_id, spec=make_spec(selection=LAZY), **given)


def statuses(job: Job, output: Json) -> Counter[str]:
    chunks = iter_labels(job.artifacts.path(output["labels"]))
    return Counter(entry["status"] for chunk in chunks for entry in chunk)


def test_the_budget_holds_and_the_rest_is_unasked(
    workshop: Workshop, teacher: TellingTeacher
) -> None:
    add_job(workshop, cap_calls=130)
    job = workshop.claim()
    output = label(job, {})
    assert len(teacher.asked) == len(set(teacher.asked)) == 130
    assert workshop.row(job.row.id).spent_calls == 130
    assert output["counts"]["asked"] == 130
    assert statuses(job, output) == {"answered": 130, UNASKED: POOL - 130}
    assert len(load_pool(job, {Stage.LABEL: output})) == 130
    assert output["cut_short"] == "budget"


def test_the_report_tells_what_each_round_brought(
    workshop: Workshop, teacher: TellingTeacher
) -> None:
    add_job(workshop, cap_calls=130)
    told = label(workshop.claim(), {})["buying"]
    assert (told["texts"], told["ended"]) == (POOL, "budget")
    assert [each["asked"] for each in told["rounds"]] == [100, 125, 130]
    assert told["rounds"][0]["audited"] == 100
    assert all(0 <= each["agreement"] <= 1 for each in told["rounds"])


def test_it_ends_when_more_is_not_worth_it(
    workshop: Workshop, teacher: TellingTeacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llkd.buying.LEAST_GAIN_A_DOUBLING", 2.0)
    add_job(workshop, make_rows(600, gold=0))
    output = label(workshop.claim(), {})
    assert output["buying"]["ended"] == "not_worth_it"
    assert len(output["buying"]["rounds"]) == 8
    assert output["cut_short"] is None


def test_with_a_small_pool_all_of_it_is_asked(workshop: Workshop, teacher: TellingTeacher) -> None:
    add_job(workshop, make_rows(60, gold=0))
    output = label(workshop.claim(), {})
    assert output["buying"]["ended"] == "all_asked"
    assert output["counts"]["asked"] == 60


def test_after_a_crash_the_same_texts_are_chosen_and_none_is_bought_twice(
    workshop: Workshop, teacher: TellingTeacher
) -> None:
    add_job(workshop, cap_calls=150)
    undisturbed = workshop.claim()
    label(undisturbed, {})
    expected, teacher.asked = teacher.asked, []
    teacher.fingerprint = "d" * 64
    add_job(workshop, cap_calls=150)
    job = workshop.claim(environment={"TESTING": "1", "FAULT": "label.batch:raise:10"})
    with pytest.raises(InjectedFault):
        label(job, {})
    assert 100 < len(teacher.asked) < 150
    workshop.give_back(job)
    again = workshop.claim()
    output = label(again, {})
    assert sorted(teacher.asked) == sorted(expected)
    assert workshop.row(job.row.id).spent_calls == 150
    assert statuses(again, output)["answered"] == 150


def test_rows_that_measure_are_asked_about_whatever_is_chosen(
    workshop: Workshop, teacher: TellingTeacher
) -> None:
    add_job(workshop, make_rows(POOL, gold=40), cap_calls=10_000)
    job = workshop.claim()
    output = label(job, {})
    chunks = iter_labels(job.artifacts.path(output["labels"]))
    roles = Counter(
        (entry["role"], entry["status"] == "answered") for chunk in chunks for entry in chunk
    )
    assert roles["evaluation", True] == 40
    assert roles["evaluation", False] == 0


def test_refused_texts_are_asked_about_once(workshop: Workshop, teacher: TellingTeacher) -> None:
    rows = make_rows(POOL, gold=0)
    for row in rows[::10]:
        row["text"] = f"unheard {row['text']}"
    add_job(workshop, rows, cap_calls=200)
    output = label(workshop.claim(), {})
    counts = output["counts"]
    assert counts["refused"] > 0
    assert (
        counts["answered"] + counts["refused"] == counts["asked"] == len(set(teacher.asked)) == 200
    )


def test_without_the_encoder_that_chooses_it_fails_and_says_why(
    workshop: Workshop, teacher: TellingTeacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buying, "find_encoder", lambda job: None)
    add_job(workshop)
    with pytest.raises(ModelNotAllowed, match="lazy labelling"):
        label(workshop.claim(), {})
    assert teacher.asked == []
