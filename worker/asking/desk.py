"""Where the label stage puts its questions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.lifecycle import StopReason
from llkd.types import Question, TeacherAnswer
from worker.tally import Tally


@dataclass(frozen=True)
class Asked:
    """A question's answer, and whether another job had bought it."""

    answer: TeacherAnswer
    cached: bool


class Desk(Protocol):
    """A teacher, or several, behind the store of their answers, for one attempt at one job."""

    @property
    def tally(self) -> Tally:
        """What became of the questions so far."""
        ...

    @property
    def turned_down(self) -> StopReason | None:
        """Why no more questions are taken: the job's budget, or its time for labelling."""
        ...

    @property
    def batch_size(self) -> int:
        """How many questions to put at once, at the most."""
        ...

    def find(self, questions: Sequence[Question]) -> list[Asked | None]:
        """The answers that are there, in order; None where the teacher has to be asked."""
        ...

    def ask(
        self,
        questions: Sequence[Question],
        *,
        places: Sequence[int | None],
        told: Callable[[int], None],
    ) -> list[Asked | None]:
        """Put at most `batch_size` questions; None for those it turns down.

        Args:
            places: row of each question in its dataset, for the log; None where it is of none.
            told: called with the number of questions that are over, now and then and at the
                end; what it raises ends the asking once all that was paid for is stored.

        Raises:
            GhostWorker: the job is another attempt's.
            Park: the teacher cannot be asked for a while.
        """
        ...

    def recount(self) -> None:
        """Count anew, for one who goes through all questions once more, to the same budget."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
