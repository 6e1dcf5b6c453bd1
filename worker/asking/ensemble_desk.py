"""Several teachers asked about every text, each behind its own store; their answers combined."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from core.lifecycle import StopReason
from llkd.teachers.ensemble import combine
from llkd.types import Question
from worker.asking.desk import Asked, Desk
from worker.tally import Tally


class EnsembleDesk:
    """Desks side by side. A text has an answer once each of them has one for it.

    The tally counts combined answers; the members' own tallies are theirs alone.
    """

    def __init__(
        self, members: Sequence[Desk], *, how: Literal["average", "vote"], class_count: int
    ) -> None:
        self.tally = Tally()
        self._members = members
        self._how: Literal["average", "vote"] = how
        self._class_count = class_count

    @property
    def turned_down(self) -> StopReason | None:
        reasons = (member.turned_down for member in self._members)
        return next((reason for reason in reasons if reason is not None), None)

    @property
    def batch_size(self) -> int:
        return min(member.batch_size for member in self._members)

    def find(self, questions: Sequence[Question]) -> list[Asked | None]:
        columns = [member.find(questions) for member in self._members]
        found = [self._combined(row) for row in zip(*columns, strict=True)]
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
        columns = [
            _completed(member, questions, places=places, told=_silent) for member in self._members
        ]
        asked = [self._combined(row) for row in zip(*columns, strict=True)]
        for each in asked:
            if each is not None:
                self.tally.add(each.answer, cached=each.cached)
        told(len(questions))
        return asked

    def recount(self) -> None:
        self.tally = Tally()
        for member in self._members:
            member.recount()

    def close(self) -> None:
        for member in self._members:
            member.close()

    def _combined(self, row: Sequence[Asked | None]) -> Asked | None:
        there = [asked for asked in row if asked is not None]
        if len(there) < len(row):
            return None
        answers = [
            # What another job paid for is not this one's.
            replace(each.answer, tokens_in=0, tokens_out=0, cost_micros=0)
            if each.cached
            else each.answer
            for each in there
        ]
        return Asked(
            combine(answers, self._how, class_count=self._class_count),
            cached=all(each.cached for each in there),
        )


def _completed(
    member: Desk,
    questions: Sequence[Question],
    *,
    places: Sequence[int | None],
    told: Callable[[int], None],
) -> list[Asked | None]:
    """One member's answers: those it has, and the others bought."""
    found = member.find(questions)
    missing = [place for place, asked in enumerate(found) if asked is None]
    bought = member.ask(
        [questions[place] for place in missing],
        places=[places[place] for place in missing],
        told=told,
    )
    for place, asked in zip(missing, bought, strict=True):
        found[place] = asked
    return found


def _silent(_: int) -> None:
    """A member's progress is no progress of the whole."""
