"""Gets every text its answer: from the store, or bought once from the teacher, within budget."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.db.repositories.answers import AnswerRepository
from core.db.repositories.events import EventRepository
from core.db.repositories.jobs import JobRepository
from core.db.session import Database
from core.db.tables import JobRow, TeacherAnswerRow
from core.ids import TenantId
from core.lifecycle import EventType
from llkd.specs import label_key
from llkd.teachers.base import Teacher
from llkd.types import AnswerStatus, ConfidenceSource, Question, TeacherAnswer
from worker.account import Account
from worker.durability import durably
from worker.tally import Tally

# The log names the first failed rows of a job; all of them stand in its label file.
LOGGED_FAILURES = 100


@dataclass(frozen=True)
class Asked:
    """A question's answer, and whether an earlier job had bought it."""

    answer: TeacherAnswer
    cached: bool


class AnswerDesk:
    """The teacher behind its answer store, for one worker on one job.

    Answers are stored as they come, not fenced: whoever holds the job by then, they are
    paid and valid. What was spent is settled in the same transaction.
    """

    def __init__(
        self,
        teacher: Teacher,
        *,
        database: Database,
        tenant_id: TenantId,
        account: Account,
        labels: Sequence[str],
    ) -> None:
        self.tally = Tally()
        self.budget_reached = False
        self._teacher = teacher
        self._database = database
        self._tenant_id = tenant_id
        self._account = account
        self._labels = labels
        self._index = {label_key(name): place for place, name in enumerate(labels)}
        self._logged = 0

    @property
    def batch_size(self) -> int:
        """How many questions the teacher is put at once."""
        return self._teacher.batch_size

    def find(self, questions: Sequence[Question]) -> list[Asked | None]:
        """The answers that are there, in order; None where the teacher has to be asked."""
        keys = [self._key(question) for question in questions]
        rows = durably(
            self._database, lambda session: AnswerRepository(session).find(self._tenant_id, keys)
        )
        found = [self._found(rows[key]) if key in rows else None for key in keys]
        for asked in found:
            if asked is not None:
                self.tally.add(asked.answer, cached=asked.cached)
        return found

    def recount(self) -> None:
        """Begin the counts anew, for one who goes through all questions once more.

        The budget is looked at anew too: what others held a moment ago may be free now.
        """
        self.tally = Tally()
        self.budget_reached = False

    def ask(self, questions: Sequence[Question], *, places: Sequence[int]) -> list[Asked | None]:
        """Put at most `batch_size` questions; None for those the budget no longer covers.

        Args:
            places: row of each question in its dataset, for the log.

        Raises:
            GhostWorker: the job is another attempt's.
        """
        calls = 0 if self.budget_reached else self._reserve(len(questions))
        answers = self._teacher.answer(questions[:calls]) if calls else []
        if answers:
            self._store(questions[:calls], answers, places=places)
        for answer in answers:
            self.tally.add(answer, cached=False)
        asked: list[Asked | None] = [Asked(answer, cached=False) for answer in answers]
        return asked + [None] * (len(questions) - calls)

    def _reserve(self, wanted: int) -> int:
        """Hold as many calls as the caps leave room for, up to `wanted`; returns how many."""

        def reserve(session: Session) -> int:
            if held := self._account.held_calls(session):
                # We hold nothing between two batches: this is our own reservation, whose
                # commit came through although its connection broke.
                return held
            job = self._job(session)
            taken = job.spent_calls + job.held_calls
            room = wanted if job.cap_calls is None else job.cap_calls - taken
            calls = min(wanted, max(0, room))
            # Teachers of this release work on this host and cost no money.
            return calls if self._account.reserve(session, calls=calls, micros=0) else 0

        calls = durably(self._database, reserve)
        if calls < wanted:
            self.budget_reached = True
        return calls

    def _store(
        self,
        questions: Sequence[Question],
        answers: Sequence[TeacherAnswer],
        *,
        places: Sequence[int],
    ) -> None:
        rows = [self._row(*pair) for pair in zip(questions, answers, strict=True)]
        failures = [
            {"row": place, "status": answer.status.value}
            for place, answer in zip(places, answers, strict=False)
            if answer.status is not AnswerStatus.ANSWERED
        ][: LOGGED_FAILURES - self._logged]
        spent = sum(answer.cost_micros for answer in answers)

        def store(session: Session) -> bool:
            if self._account.held_calls(session) == 0 and self._account.is_ours(session):
                # Settled by a commit that came through although its connection broke.
                return True
            ours = self._account.settle(
                session, calls=len(answers), held_micros=0, spent_micros=spent
            )
            AnswerRepository(session).store(self._tenant_id, rows)
            for failure in failures if ours else ():
                EventRepository(session).append(
                    self._account.job.job_id, EventType.TEACHER_ROW_FAILED, failure
                )
            return ours

        if not durably(self._database, store):
            raise self._account.lost()
        self._logged += len(failures)

    def _job(self, session: Session) -> JobRow:
        job = JobRepository(session).get(self._tenant_id, self._account.job.job_id)
        assert job is not None, "jobs are never deleted"
        return job

    def _key(self, question: Question) -> str:
        provided = question.provided
        decides = [
            self._teacher.fingerprint,
            question.text,
            None
            if provided is None
            else [provided.label, provided.confidence, provided.probabilities],
        ]
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()

    def _row(self, question: Question, answer: TeacherAnswer) -> TeacherAnswerRow:
        return TeacherAnswerRow(
            key=self._key(question),
            status=answer.status.value,
            label=None if answer.label is None else self._labels[answer.label],
            probabilities=None if answer.probabilities is None else list(answer.probabilities),
            confidence=answer.confidence,
            confidence_source=answer.confidence_source.value,
            tokens_in=answer.tokens_in,
            tokens_out=answer.tokens_out,
            cost_micros=answer.cost_micros,
            model=self._teacher.model,
            job_id=self._account.job.job_id,
        )

    def _found(self, row: TeacherAnswerRow) -> Asked:
        # What an earlier attempt or an assistant bought for this job, this job bought.
        return Asked(self._read(row), cached=row.job_id != self._account.job.job_id)

    def _read(self, row: TeacherAnswerRow) -> TeacherAnswer:
        return TeacherAnswer(
            AnswerStatus(row.status),
            label=None if row.label is None else self._index[label_key(row.label)],
            probabilities=None if row.probabilities is None else tuple(row.probabilities),
            confidence=row.confidence,
            confidence_source=ConfidenceSource(row.confidence_source),
            tokens_in=row.tokens_in,
            tokens_out=row.tokens_out,
            cost_micros=row.cost_micros,
        )
