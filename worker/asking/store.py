"""The answers of one teacher that are there already, as one job sees them."""

from collections.abc import Sequence

from core.db.repositories.answers import AnswerRepository
from core.db.session import Database
from core.db.tables import TeacherAnswerRow
from core.ids import JobId, TenantId
from llkd.answer_keys import answer_key
from llkd.specs import label_key
from llkd.types import AnswerStatus, ConfidenceSource, Question, TeacherAnswer
from worker.asking.desk import Asked
from worker.durability import durably


class AnswerStore:
    """Finds answers by all that decides them: teacher, prompt, labels, text.

    Args:
        fingerprint: of the teacher; see `llkd.teachers.base.Teacher`.
        model: the name to record where an answer brings none.
        reads_provided: whether an answer that stands in the dataset is part of the question.
        labels: the job's label names in order.
    """

    def __init__(
        self,
        database: Database,
        *,
        tenant_id: TenantId,
        job_id: JobId,
        fingerprint: str,
        model: str,
        reads_provided: bool,
        labels: Sequence[str],
    ) -> None:
        self.tenant_id = tenant_id
        self._database = database
        self._job_id = job_id
        self._fingerprint = fingerprint
        self._model = model
        self._reads_provided = reads_provided
        self._labels = labels
        self._index = {label_key(name): place for place, name in enumerate(labels)}

    def find(self, questions: Sequence[Question]) -> list[Asked | None]:
        """The answers that are there, in order."""
        keys = [self._key(question) for question in questions]
        rows = durably(
            self._database,
            lambda session: AnswerRepository(session).find(
                self.tenant_id, keys, job_id=self._job_id
            ),
        )
        return [self._read(rows[key]) if key in rows else None for key in keys]

    def rows(
        self, questions: Sequence[Question], answers: Sequence[TeacherAnswer]
    ) -> list[TeacherAnswerRow]:
        """What `AnswerRepository.store` is given."""
        return [self._row(*pair) for pair in zip(questions, answers, strict=True)]

    def _key(self, question: Question) -> str:
        return answer_key(self._fingerprint, question, reads_provided=self._reads_provided)

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
            model=answer.model or self._model,
            rung=answer.rung,
            label_mass=answer.label_mass,
            job_id=self._job_id,
        )

    def _read(self, row: TeacherAnswerRow) -> Asked:
        """The answer, with its tokens where this job bought it, in whichever worker's hands."""
        ours = row.job_id == self._job_id
        answer = TeacherAnswer(
            AnswerStatus(row.status),
            label=None if row.label is None else self._index[label_key(row.label)],
            probabilities=None if row.probabilities is None else tuple(row.probabilities),
            confidence=row.confidence,
            confidence_source=ConfidenceSource(row.confidence_source),
            label_mass=row.label_mass,
            model=row.model,
            rung=row.rung,
            tokens_in=row.tokens_in if ours else 0,
            tokens_out=row.tokens_out if ours else 0,
        )
        return Asked(answer, cached=not ours)
