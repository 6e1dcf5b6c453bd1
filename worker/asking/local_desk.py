"""A teacher on this host, asked a batch at a time."""

from collections.abc import Callable, Sequence

from llkd.teachers.base import Teacher
from llkd.types import Question
from worker.asking.desk import Asked
from worker.asking.failures import FailureLog
from worker.asking.purse import Payment, Purse
from worker.asking.store import AnswerStore
from worker.tally import Tally


class LocalDesk:
    """A teacher behind the store of its answers; its calls are counted and cost no money."""

    def __init__(self, teacher: Teacher, *, store: AnswerStore, purse: Purse) -> None:
        self.tally = Tally()
        self.budget_reached = False
        self._teacher = teacher
        self._store = store
        self._purse = purse
        self._failures = FailureLog()

    @property
    def batch_size(self) -> int:
        return self._teacher.batch_size

    def find(self, questions: Sequence[Question]) -> list[Asked | None]:
        found = self._store.find(questions)
        for asked in found:
            if asked is not None:
                self.tally.add(asked.answer, cached=asked.cached)
        return found

    def ask(
        self,
        questions: Sequence[Question],
        *,
        places: Sequence[int | None],
        told: Callable[[int], None],
    ) -> list[Asked | None]:
        calls = 0 if self.budget_reached else self._purse.hold([0] * len(questions))
        self.budget_reached = calls < len(questions)
        answers = self._teacher.answer(questions[:calls]) if calls else []
        if answers:
            self._purse.pay(
                Payment(
                    self._store.rows(questions[:calls], answers),
                    failures=self._failures.of(answers, places=places[:calls]),
                )
            )
        for answer in answers:
            self.tally.add(answer, cached=False)
        told(len(questions))
        asked: list[Asked | None] = [Asked(answer, cached=False) for answer in answers]
        return asked + [None] * (len(questions) - calls)

    def recount(self) -> None:
        self.tally = Tally()
        self.budget_reached = False

    def close(self) -> None:
        """It holds nothing open."""
