"""A label stage with several workers: each row once, the same labels, whoever dies on the way."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from core.db.base import db_now
from core.db.repositories.claims import GhostWorker, ShardClaim
from core.db.repositories.shard_budget import ShardBudget
from core.db.repositories.shards import ShardRepository
from core.db.session import Database
from core.db.tables import JobRow, JobShardRow, TeacherAnswerRow
from core.lifecycle import Queue
from llkd.specs import DistillationSpec
from llkd.types import AnswerStatus, Question, TeacherAnswer
from tests.worker.corpus import add_dataset, add_distillation, make_rows, make_spec
from tests.worker.workshop import Workshop
from worker.asking import opening
from worker.faults import InjectedFault
from worker.job import Job
from worker.progress import Progress
from worker.protocol import Advanced, Json, Message, Part
from worker.sharing import SHARD_ROWS, is_shareable
from worker.stages.label import label
from worker.stages.label_shard import label_shards
from worker.stop_request import StopRequest

ROWS = 6 * SHARD_ROWS - 100
FEW_SHOT = {"kind": "few_shot", "model": "local/tiny"}
ZERO_SHOT = {"kind": "zero_shot", "model": "local/tiny"}
HUGGINGFACE = {"kind": "huggingface", "model": "local/tiny"}
PROVIDED = {"kind": "provided"}
OPENAI = {"kind": "openai", "base_url": "http://vllm:8000", "model": "m"}
LEASE = timedelta(seconds=30)


class PatientTeacher:
    """Answers by a text's length after a pause, and remembers which worker asked what."""

    fingerprint = "f" * 64
    model = "patient"
    batch_size = 32

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def answer(self, questions: Sequence[Question]) -> list[TeacherAnswer]:
        time.sleep(0.005)
        worker = threading.current_thread().name
        self.asked += [(worker, question.text) for question in questions]
        return [_answer(question.text) for question in questions]

    @property
    def workers(self) -> set[str]:
        return {worker for worker, _ in self.asked}

    @property
    def texts(self) -> Counter[str]:
        return Counter(text for _, text in self.asked)


def _answer(text: str) -> TeacherAnswer:
    if text.startswith("refused"):
        return TeacherAnswer(AnswerStatus.REFUSED)
    return TeacherAnswer(
        AnswerStatus.ANSWERED, label=len(text) % 3, confidence=1 / len(text), tokens_in=1
    )


class Assistant(threading.Thread):
    """Helps with whatever is shared, as an idle slot does, until the end of the test."""

    def __init__(self, workshop: Workshop, job: Job, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._workshop = workshop
        self._job = job
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            part = claim_part(self._workshop.database, self.name)
            if part is None:
                time.sleep(0.01)
                continue
            try:
                label_shards(seen_by_assistant(self._job), part)
            except GhostWorker:
                return

    def end(self) -> None:
        self._over.set()
        self.join(30)
        assert not self.is_alive()


def claim_part(database: Database, worker: str, *, lease: timedelta = LEASE) -> Part | None:
    with database.write() as session:
        row = ShardRepository(session).claim(kind=Queue.CPU, worker=worker, lease=lease)
        if row is None:
            return None
        return Part(
            row.shard,
            row.attempt,
            first_row=row.first_row,
            rows=row.rows,
            worker=worker,
            lease_seconds=lease.total_seconds(),
        )


def seen_by_assistant(job: Job) -> Job:
    def unheard(_: Message) -> None:
        """Its supervisor is not part of these tests."""

    return replace(job, progress=Progress(unheard, detail={}), stop=StopRequest(), tell=unheard)


@contextmanager
def assisting(workshop: Workshop, job: Job, count: int) -> Iterator[None]:
    assistants = [Assistant(workshop, job, f"assistant-{place}") for place in range(count)]
    for assistant in assistants:
        assistant.start()
    try:
        yield
    finally:
        for assistant in assistants:
            assistant.end()


@contextmanager
def reaping(database: Database) -> Iterator[None]:
    over = threading.Event()

    def reap() -> None:
        while not over.wait(0.05):
            with database.write() as session:
                ShardRepository(session).reap()

    reaper = threading.Thread(target=reap, daemon=True)
    reaper.start()
    try:
        yield
    finally:
        over.set()
        reaper.join(30)


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch) -> PatientTeacher:
    patient = PatientTeacher()
    monkeypatch.setattr(opening, "build_teacher", lambda *_, **__: patient)
    return patient


@pytest.fixture
def workshop(database: Database, tmp_path: Path) -> Workshop:
    return Workshop(database, tmp_path / "var", tmp_path / "models")


def add_job(workshop: Workshop, rows: list[Json], **given: Any) -> None:
    dataset_id = add_dataset(workshop.database, workshop.data_dir, rows)
    spec = make_spec(teacher=FEW_SHOT, **given.pop("spec", {}))
    add_distillation(workshop.database, dataset_id, spec=spec, **given)


def forget_answers(database: Database) -> None:
    with database.write() as session:
        session.execute(delete(TeacherAnswerRow))


def shards(database: Database) -> list[JobShardRow]:
    with database.read() as session:
        return session.query(JobShardRow).order_by(JobShardRow.shard).all()


class TestSharing:
    def test_the_labels_are_the_same_bytes_as_one_workers(
        self, workshop: Workshop, teacher: PatientTeacher
    ) -> None:
        rows = make_rows(ROWS, gold=100)
        for place in range(0, ROWS, 97):
            rows[place]["text"] = f"refused {place}"
        add_job(workshop, rows)
        alone = label(workshop.claim(), {})
        assert len(teacher.workers) == 1
        forget_answers(workshop.database)
        add_job(workshop, rows)
        job = workshop.claim()
        with assisting(workshop, job, 2):
            together = label(job, {})
        assert len(teacher.workers) == 3
        assert set(teacher.texts.values()) == {2}, "a text was asked twice in one job"
        assert {**together, "effort": None} == {**alone, "effort": None}
        assert together["counts"]["asked"] == together["counts"]["answered"] + 15 == ROWS

    def test_progress_counts_each_row_once_and_tokens_of_all_workers(
        self, workshop: Workshop, teacher: PatientTeacher
    ) -> None:
        add_job(workshop, make_rows(ROWS, gold=0))
        job = workshop.claim()
        with assisting(workshop, job, 2):
            label(job, {})
        job.progress.tell()
        told = [message for message in workshop.told if isinstance(message, Advanced)]
        places = [message.progress for message in told]
        assert places == sorted(places)
        last = told[-1]
        assert (last.progress, last.detail["rows"]) == (ROWS, ROWS)
        assert last.detail["teacher"]["asked"] == ROWS
        assert last.detail["teacher"]["cached"] == 0
        assert last.detail["tokens"]["input"] == ROWS

    def test_a_cap_of_exactly_all_calls_is_enough_for_all_workers(
        self, workshop: Workshop, teacher: PatientTeacher
    ) -> None:
        add_job(workshop, make_rows(ROWS, gold=0), cap_calls=ROWS)
        job = workshop.claim()
        with assisting(workshop, job, 3):
            output = label(job, {})
        assert output["cut_short"] is None
        row = workshop.row(job.row.id)
        assert (row.spent_calls, row.held_calls) == (ROWS, 0)

    @pytest.mark.parametrize(
        "given",
        [
            {"cap_calls": ROWS - 1},
            {"purpose": "pilot"},
        ],
        ids=["a lot chooses", "a pilot"],
    )
    def test_what_is_chosen_step_by_step_is_not_shared(
        self, workshop: Workshop, teacher: PatientTeacher, given: Json
    ) -> None:
        add_job(workshop, make_rows(ROWS, gold=0), **given)
        label(workshop.claim(), {})
        assert shards(workshop.database) == []

    def test_a_dataset_of_one_shard_is_not_shared(
        self, workshop: Workshop, teacher: PatientTeacher
    ) -> None:
        add_job(workshop, make_rows(SHARD_ROWS, gold=0))
        label(workshop.claim(), {})
        assert shards(workshop.database) == []


class TestALostAssistant:
    def test_its_shard_is_taken_over_and_what_it_held_is_spent(
        self, workshop: Workshop, teacher: PatientTeacher
    ) -> None:
        add_job(workshop, make_rows(ROWS, gold=0))
        job = workshop.claim()
        lost: list[Part] = []

        def claim_and_die() -> None:
            while (part := claim_part(workshop.database, "lost", lease=timedelta(0))) is None:
                time.sleep(0.005)
            lost.append(part)
            claim = ShardClaim(job.assignment.claim, part.shard, part.attempt)
            with workshop.database.write() as session:
                assert ShardBudget(session).reserve(claim, calls=5, micros=0)

        dying = threading.Thread(target=claim_and_die)
        dying.start()
        owner = threading.Thread(target=label, args=(job, {}), name="owner")
        owner.start()
        dying.join(30)
        assert len(lost) == 1
        with reaping(workshop.database):
            owner.join(60)
        assert not owner.is_alive()
        assert set(teacher.texts.values()) == {1}
        assert len(teacher.texts) == ROWS
        row = workshop.row(job.row.id)
        # Calls in flight at a crash may have been billed.
        assert (row.spent_calls, row.held_calls) == (ROWS + 5, 0)

    def test_one_that_slept_stops_and_its_answers_are_kept(
        self, workshop: Workshop, teacher: PatientTeacher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add_job(workshop, make_rows(ROWS, gold=0))
        job = workshop.claim()
        with workshop.database.write() as session:
            ShardRepository(session).cut(job.assignment.claim, rows=ROWS, shard_rows=SHARD_ROWS)
            session.execute(update(JobRow).values(stage="label"))
        part = claim_part(workshop.database, "sleeper")
        assert part is not None
        answer = teacher.answer

        def answer_past_the_lease(questions: Sequence[Question]) -> list[TeacherAnswer]:
            with workshop.database.write() as session:
                session.execute(
                    update(JobShardRow)
                    .where(JobShardRow.lease_owner == "sleeper")
                    .values(lease_until=db_now(-1))
                )
            with workshop.database.write() as session:
                ShardRepository(session).reap()
            return answer(questions)

        monkeypatch.setattr(teacher, "answer", answer_past_the_lease)
        with pytest.raises(GhostWorker, match="shard 0"):
            label_shards(seen_by_assistant(job), part)
        assert len(teacher.asked) == teacher.batch_size
        with workshop.database.read() as session:
            assert session.query(TeacherAnswerRow).count() == teacher.batch_size
        row = workshop.row(job.row.id)
        assert (row.spent_calls, row.held_calls) == (teacher.batch_size, 0)


class TestALostOwner:
    def test_its_assistants_end_and_the_next_attempt_goes_on(
        self, workshop: Workshop, teacher: PatientTeacher
    ) -> None:
        add_job(workshop, make_rows(ROWS, gold=0))
        job = workshop.claim(environment={"TESTING": "1", "FAULT": "label.batch:raise:6"})
        with assisting(workshop, job, 2):
            with pytest.raises(InjectedFault):
                label(job, {})
            workshop.give_back(job)
        again = workshop.claim()
        assert again.row.attempt == 2
        with assisting(workshop, again, 2):
            output = label(again, {})
        assert output["counts"]["asked"] == output["counts"]["answered"] == ROWS
        twice = sum(count - 1 for count in teacher.texts.values())
        assert twice <= 3 * teacher.batch_size
        row = workshop.row(job.row.id)
        assert row.held_calls == 0
        assert ROWS <= row.spent_calls <= ROWS + 3 * teacher.batch_size


class TestWhichTeachers:
    @pytest.mark.parametrize(
        ("teacher", "shared"),
        [
            (FEW_SHOT, True),
            (ZERO_SHOT, True),
            (HUGGINGFACE, True),
            (PROVIDED, False),
            (OPENAI, False),
            ({"kind": "ensemble", "teachers": [FEW_SHOT, PROVIDED]}, True),
            ({"kind": "ensemble", "teachers": [FEW_SHOT, OPENAI]}, False),
        ],
    )
    def test_those_of_this_host_that_compute(self, teacher: Json, shared: bool) -> None:
        spec = DistillationSpec.model_validate(make_spec(teacher=teacher))
        assert is_shareable(spec.teacher) is shared
