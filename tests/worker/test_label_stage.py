"""Labelling: every text has exactly one outcome, nothing is bought twice, caps hold."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from core.calling.breaker import Park
from core.dataset_files import ROWS_SCHEMA
from core.db.base import EPOCH, db_now
from core.db.session import Database
from core.db.tables import JobEventRow, JobRow, TeacherAnswerRow
from core.label_files import UNASKED, iter_labels
from core.lifecycle import Stage
from llkd.errors import TeacherUnusable, TooFewLabels
from llkd.types import AnswerStatus, Question, TeacherAnswer
from tests.worker.corpus import add_dataset, add_distillation, make_rows, make_spec
from tests.worker.workshop import Workshop
from worker.asking import opening
from worker.faults import InjectedFault
from worker.job import Job
from worker.protocol import Json
from worker.stages.label import label
from worker.stop_request import Released

STATUSES = ("answered", "refused", "malformed", "too_long", "failed", "missing")


class ScriptedTeacher:
    """Answers by the first word of a text, and remembers what it was asked."""

    fingerprint = "f" * 64
    model = "scripted"
    batch_size = 16

    def __init__(self) -> None:
        self.asked: list[str] = []

    def answer(self, questions: Sequence[Question]) -> list[TeacherAnswer]:
        self.asked += [question.text for question in questions]
        return [self._answer(question.text.split()[0]) for question in questions]

    def _answer(self, word: str) -> TeacherAnswer:
        if word in {status.value for status in AnswerStatus}:
            return TeacherAnswer(AnswerStatus(word))
        return TeacherAnswer(AnswerStatus.ANSWERED, label=0, confidence=0.9)


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch) -> ScriptedTeacher:
    scripted = ScriptedTeacher()
    monkeypatch.setattr(opening, "build_teacher", lambda *_, **__: scripted)
    return scripted


@pytest.fixture
def workshop(database: Database, tmp_path: Path) -> Workshop:
    return Workshop(database, tmp_path / "var", tmp_path / "models")


def add_job(workshop: Workshop, rows: list[Json], **given: Any) -> None:
    dataset_id = add_dataset(workshop.database, workshop.data_dir, rows)
    add_distillation(workshop.database, dataset_id, **given)


def entries(job: Job, digest: str) -> list[Json]:
    return [entry for chunk in iter_labels(job.artifacts.path(digest)) for entry in chunk]


class TestCounting:
    def test_every_row_has_one_outcome(self, workshop: Workshop, teacher: ScriptedTeacher) -> None:
        rows = make_rows(300, gold=0)
        for place, status in enumerate(("refused", "malformed", "too_long") * 7):
            rows[100 + place]["text"] = f"{status} {place}"
        add_job(workshop, rows)
        job = workshop.claim()
        output = label(job, {})
        counts = output["counts"]
        assert counts["asked"] == len(rows) == sum(counts[status] for status in STATUSES)
        assert (counts["refused"], counts["malformed"], counts["too_long"]) == (7, 7, 7)
        written = Counter(entry["status"] for entry in entries(job, output["labels"]))
        assert written == {status: counts[status] for status in STATUSES if counts[status]}

    def test_the_file_stands_beside_the_dataset(
        self, workshop: Workshop, teacher: ScriptedTeacher
    ) -> None:
        rows = make_rows(250, gold=0)
        rows[133]["text"] = "refused this one"
        add_job(workshop, rows)
        job = workshop.claim()
        found = entries(job, label(job, {})["labels"])
        assert [place for place, entry in enumerate(found) if entry["label"] is None] == [133]

    def test_a_failed_row_is_named_in_the_log(
        self, workshop: Workshop, teacher: ScriptedTeacher
    ) -> None:
        rows = make_rows(250, gold=0)
        rows[133]["text"] = "malformed"
        add_job(workshop, rows)
        label(workshop.claim(), {})
        with workshop.database.read() as session:
            failed = session.query(JobEventRow).filter_by(type="teacher.row_failed").all()
        assert [event.data for event in failed] == [{"row": 133, "status": "malformed"}]


class TestBuyingOnce:
    def test_a_second_job_asks_nothing(self, workshop: Workshop, teacher: ScriptedTeacher) -> None:
        rows = make_rows(60, gold=0)
        add_job(workshop, rows)
        label(workshop.claim(), {})
        add_job(workshop, rows)
        job = workshop.claim()
        counts = label(job, {})["counts"]
        assert counts["cached"] == counts["asked"] == 60
        assert len(teacher.asked) == 60
        assert workshop.row(job.row.id).spent_calls == 0

    def test_a_crash_between_two_batches_loses_none(
        self, workshop: Workshop, teacher: ScriptedTeacher
    ) -> None:
        add_job(workshop, make_rows(100, gold=0))
        job = workshop.claim(environment={"TESTING": "1", "FAULT": "label.batch:raise:4"})
        with pytest.raises(InjectedFault):
            label(job, {})
        workshop.give_back(job)
        again = workshop.claim()
        counts = label(again, {})["counts"]
        assert len(teacher.asked) == len(set(teacher.asked)) == 100
        assert (counts["asked"], counts["cached"]) == (100, 0)
        assert workshop.row(job.row.id).spent_calls == 100
        assert workshop.row(job.row.id).held_calls == 0

    def test_a_request_to_stop_is_heard_between_two_batches(
        self, workshop: Workshop, teacher: ScriptedTeacher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add_job(workshop, make_rows(100, gold=0))
        job = workshop.claim()
        monkeypatch.setattr(job.stop, "_requested", True)
        with pytest.raises(Released):
            label(job, {})
        with workshop.database.read() as session:
            assert session.query(TeacherAnswerRow).count() == len(teacher.asked)


class TestTheCap:
    def test_it_is_used_up_and_never_passed(
        self, workshop: Workshop, teacher: ScriptedTeacher
    ) -> None:
        add_job(workshop, make_rows(100, gold=0), cap_calls=37)
        job = workshop.claim()
        output = label(job, {})
        assert len(teacher.asked) == 37
        assert output["cut_short"] == "budget"
        assert output["counts"]["asked"] == 37
        row = workshop.row(job.row.id)
        assert (row.spent_calls, row.held_calls) == (37, 0)
        statuses = Counter(entry["status"] for entry in entries(job, output["labels"]))
        assert statuses == {"answered": 37, UNASKED: 63}

    def test_what_it_reaches_is_drawn_from_the_whole_file(
        self, workshop: Workshop, teacher: ScriptedTeacher
    ) -> None:
        add_job(workshop, make_rows(400, gold=0), cap_calls=40)
        job = workshop.claim()
        found = entries(job, label(job, {})["labels"])
        places = [place for place, entry in enumerate(found) if entry["status"] == "answered"]
        assert len(places) == 40
        assert places[0] < 100
        assert places[-1] > 300

    def test_reaching_it_is_told_once(self, workshop: Workshop, teacher: ScriptedTeacher) -> None:
        add_job(workshop, make_rows(100, gold=0), cap_calls=16)
        label(workshop.claim(), {})
        with workshop.database.read() as session:
            assert session.query(JobEventRow).filter_by(type="budget.reached").count() == 1

    def test_four_fifths_of_it_are_told_once_with_what_is_spent(
        self, workshop: Workshop, teacher: ScriptedTeacher
    ) -> None:
        add_job(workshop, make_rows(100, gold=0), cap_calls=80)
        label(workshop.claim(), {})
        with workshop.database.read() as session:
            (warning,) = session.query(JobEventRow).filter_by(type="budget.warning").all()
        assert warning.data == {
            "spent_usd": 0.0,
            "max_usd": None,
            "teacher_calls": 64,
            "max_teacher_calls": 80,
        }

    def test_a_later_attempt_tells_neither_again(
        self, workshop: Workshop, teacher: ScriptedTeacher
    ) -> None:
        add_job(workshop, make_rows(100, gold=0), cap_calls=80)
        job = workshop.claim()
        label(job, {})
        workshop.give_back(job)
        label(workshop.claim(), {})
        with workshop.database.read() as session:
            told = Counter(event.type for event in session.query(JobEventRow))
        assert (told["budget.warning"], told["budget.reached"]) == (1, 1)

    def test_less_of_it_is_no_warning(self, workshop: Workshop, teacher: ScriptedTeacher) -> None:
        add_job(workshop, make_rows(100, gold=0), cap_calls=126)
        label(workshop.claim(), {})
        with workshop.database.read() as session:
            assert session.query(JobEventRow).filter_by(type="budget.warning").count() == 0

    def test_answers_that_are_there_cost_nothing(
        self, workshop: Workshop, teacher: ScriptedTeacher
    ) -> None:
        rows = make_rows(40, gold=0)
        add_job(workshop, rows)
        label(workshop.claim(), {})
        add_job(workshop, rows, cap_calls=1)
        assert label(workshop.claim(), {})["cut_short"] is None

    def test_too_small_a_one_fails_with_how_many_are_needed(
        self, workshop: Workshop, teacher: ScriptedTeacher
    ) -> None:
        add_job(workshop, make_rows(100, gold=0), cap_calls=15)
        with pytest.raises(TooFewLabels, match=r"when 15 texts .* at least 16"):
            label(workshop.claim(), {})


class TestTheTimeForLabelling:
    def test_counts_from_the_first_start_across_attempts(
        self, workshop: Workshop, teacher: ScriptedTeacher
    ) -> None:
        add_job(workshop, make_rows(100, gold=0), max_wall_seconds=1000)
        job = workshop.claim(environment={"TESTING": "1", "FAULT": "label.batch:raise:4"})
        with pytest.raises(InjectedFault):
            label(job, {})
        workshop.give_back(job)
        with workshop.database.write() as session:
            session.query(JobRow).update({"started_at": db_now(-751)})
        output = label(workshop.claim(), {})
        assert output["cut_short"] == "time"
        assert output["counts"]["answered"] == len(teacher.asked) == 48
        with workshop.database.read() as session:
            (reached,) = session.query(JobEventRow).filter_by(type="budget.reached").all()
        assert reached.data["stop_reason"] == "time"

    def test_is_three_quarters_of_the_wall_time(
        self, workshop: Workshop, teacher: ScriptedTeacher
    ) -> None:
        started = {"started_at": db_now(-700), "deadline_at": db_now(300)}
        add_job(workshop, make_rows(40, gold=0), max_wall_seconds=1000, **started)
        job = workshop.claim()
        assert 40 < job.labelling_time.seconds_left <= 50
        assert label(job, {})["cut_short"] is None

    def test_too_little_of_it_fails_with_how_many_are_needed(
        self, workshop: Workshop, teacher: ScriptedTeacher
    ) -> None:
        started = {"started_at": db_now(-800), "deadline_at": db_now(200)}
        add_job(workshop, make_rows(40, gold=0), max_wall_seconds=1000, **started)
        with pytest.raises(TooFewLabels, match=r"when 0 texts .* at least 16"):
            label(workshop.claim(), {})
        assert teacher.asked == []

    def test_wakes_a_job_that_waits_for_its_teacher(
        self, workshop: Workshop, teacher: ScriptedTeacher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def park(_: Sequence[Question]) -> list[TeacherAnswer]:
            raise Park("teacher-unavailable", "Silence.", after_s=300)

        monkeypatch.setattr(teacher, "answer", park)
        started = {"started_at": db_now(-700), "deadline_at": db_now(300)}
        add_job(workshop, make_rows(40, gold=0), max_wall_seconds=1000, **started)
        with pytest.raises(Park) as parked:
            label(workshop.claim(), {})
        assert parked.value.after_s <= 50


class TestAnUnusableTeacher:
    def test_is_given_up_after_the_first_rows(
        self, workshop: Workshop, teacher: ScriptedTeacher
    ) -> None:
        rows = make_rows(600, gold=0)
        for place in range(0, 600, 4):
            rows[place]["text"] = f"malformed {place}"
        add_job(workshop, rows)
        with pytest.raises(TeacherUnusable, match="malformed"):
            label(workshop.claim(), {})
        assert len(teacher.asked) < 250

    def test_a_missing_provided_answer_is_no_failure(self, workshop: Workshop) -> None:
        rows = make_rows(400, gold=0)
        for row in rows[:300]:
            row["teacher_label"] = row["teacher_confidence"] = None
        add_job(workshop, rows)
        counts = label(workshop.claim(), {})["counts"]
        assert (counts["missing"], counts["answered"]) == (300, 100)

    def test_provided_answers_are_read_with_their_confidence(self, workshop: Workshop) -> None:
        rows = make_rows(20, gold=0)
        rows[3] |= {
            "teacher_label": None,
            "teacher_confidence": None,
            "teacher_probabilities": '{"billing": 0.25, "account": 0.75}',
        }
        rows[4] |= {
            "teacher_label": "account",
            "teacher_confidence": None,
            "teacher_votes": '{"account": 2, "failure": 2, "nonsense": 1}',
        }
        add_job(workshop, rows)
        job = workshop.claim()
        found = entries(job, label(job, {})["labels"])
        assert found[0]["confidence"] == rows[0]["teacher_confidence"]
        assert (found[3]["label"], found[3]["probabilities"]) == ("account", [0.25, 0.0, 0.75])
        assert (found[4]["label"], found[4]["probabilities"]) == ("account", [0.0, 0.5, 0.5])
        assert (found[4]["confidence"], found[4]["confidence_source"]) == (0.5, "votes")

    @pytest.mark.parametrize(
        ("origin", "given", "source"),
        [
            ("provided", {"teacher_confidence": 0.5}, "provided"),
            ("verbalised", {"teacher_confidence": 0.5}, "verbalised"),
            ("label_logprob", {"teacher_probabilities": '{"account": 1.0}'}, "label_logprob"),
            ("truncated_logprob", {"teacher_confidence": 0.5}, "truncated_logprob"),
            ("votes", {"teacher_probabilities": '{"account": 1.0}'}, "votes"),
            ("provided", {"teacher_votes": '{"account": 3}'}, "votes"),
            ("verbalised", {"teacher_confidence": None}, "none"),
        ],
    )
    def test_the_job_and_its_labels_say_where_confidences_come_from(
        self, workshop: Workshop, origin: str, given: Json, source: str
    ) -> None:
        rows = [row | {"teacher_confidence": None} | given for row in make_rows(40, gold=0)]
        add_job(workshop, rows, spec=make_spec(teacher={"kind": "provided", "confidence": origin}))
        job = workshop.claim()
        output = label(job, {})
        assert output["confidence_source"] == source
        assert {entry["confidence_source"] for entry in entries(job, output["labels"])} == {source}

    def test_a_dataset_from_before_there_were_votes_is_read(
        self, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names = [name for name in ROWS_SCHEMA.names if name != "teacher_votes"]
        older = pa.schema([ROWS_SCHEMA.field(name) for name in names])
        monkeypatch.setattr("tests.worker.corpus.ROWS_SCHEMA", older)
        add_job(workshop, make_rows(40, gold=0))
        assert label(workshop.claim(), {})["counts"]["answered"] == 40


class TestRoles:
    def test_gold_rows_measure_and_are_not_trained_on(
        self, workshop: Workshop, teacher: ScriptedTeacher
    ) -> None:
        rows = make_rows(100, gold=15)
        add_job(workshop, rows)
        job = workshop.claim()
        found = entries(job, label(job, {})["labels"])
        golden = [row["gold"] is not None for row in rows]
        assert [entry["role"] == "evaluation" for entry in found] == golden

    def test_a_fully_labelled_file_still_has_a_pool(
        self, workshop: Workshop, teacher: ScriptedTeacher
    ) -> None:
        add_job(workshop, make_rows(100, gold=100))
        job = workshop.claim()
        roles = Counter(entry["role"] for entry in entries(job, label(job, {})["labels"]))
        assert roles == {"evaluation": 20, "train": 80}

    def test_a_text_of_the_evaluation_dataset_is_neither_trained_on_nor_asked_twice(
        self, workshop: Workshop, teacher: ScriptedTeacher
    ) -> None:
        measuring = make_rows(30, gold=30, first=1000)
        other = add_dataset(workshop.database, workshop.data_dir, measuring)
        add_job(workshop, make_rows(50, gold=10) + measuring[:5], evaluation_dataset_id=other)
        job = workshop.claim()
        output = label(job, {})
        roles = Counter(entry["role"] for entry in entries(job, output["labels"]))
        assert roles == {"train": 50, "excluded": 5}
        measured = entries(job, output["evaluation_labels"])
        assert {entry["role"] for entry in measured} == {"evaluation"}
        assert len(teacher.asked) == 80


class TestReplay:
    def test_the_answers_of_the_earlier_job_are_taken_as_they_are(
        self, workshop: Workshop, teacher: ScriptedTeacher
    ) -> None:
        add_job(workshop, make_rows(50, gold=0))
        earlier = workshop.claim()
        output = label(earlier, {})
        earlier.book.finish(Stage.LABEL, output, started_at=EPOCH)
        asked = len(teacher.asked)

        add_distillation(
            workshop.database, earlier.row.dataset_id, from_job_id=earlier.row.id, cap_calls=1
        )
        again = label(workshop.claim(), {})
        assert len(teacher.asked) == asked
        assert again["labels"] == output["labels"]
        assert again["counts"] == output["counts"] | {"cached": 50}
        assert again["cut_short"] is None
