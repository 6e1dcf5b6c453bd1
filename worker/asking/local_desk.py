"""A teacher on this host, asked a batch at a time."""

from collections.abc import Callable, Sequence

from core.lifecycle import StopReason
from llkd.teachers.base import Teacher
from llkd.types import Question
from worker.asking.desk import Asked
from worker.asking.failures import FailureLog
from worker.asking.purse import Payment, Purse
from worker.asking.store import AnswerStore
from worker.labelling_time import LabellingTime
from worker.tally import Tally


class LocalDesk:
    """A teacher behind the store of its answers; its calls are counted and cost no money."""

    def __init__(
        self,
        teacher: Teacher,
        *,
        store: AnswerStore,
        purse: Purse,
        labelling_time: LabellingTime,
    ) -> None:
        self.tally = Tally()
        self.turned_down: StopReason | None = None
        self._time = labelling_time
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
        calls = self._room(len(questions))
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

    def _room(self, wanted: int) -> int:
        """How many of so many questions may be asked; they are held then."""
        if self.turned_down is None and self._time.is_over:
            self.turned_down = StopReason.TIME
        calls = 0 if self.turned_down else self._purse.hold([0] * wanted)
        if calls < wanted and self.turned_down is None:
            self.turned_down = StopReason.BUDGET
        return calls

    def recount(self) -> None:
        self.tally, self.turned_down = Tally(), None

    def close(self) -> None:
        """It holds nothing open."""
