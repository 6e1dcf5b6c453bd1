"""What one text's call costs: held before it is made, settled with what came of it."""

from functools import partial

import structlog

from app.predict.deferral.clerks import Clerks
from app.predict.deferral.flight import Flight
from app.predict.deferral.ledger import Ledger
from app.predict.deferral.line import Line
from app.predict.names import DATABASE_FAULTS
from core.db.repositories.deferrals import Hold
from llkd.types import AnswerStatus, TeacherAnswer

log = structlog.get_logger(__name__)

# Between the last moment at which a call ends and its settlement, however slow the database.
SETTLE_S = 60.0


class Till:
    """Used on one event loop."""

    def __init__(self, ledger: Ledger, clerks: Clerks) -> None:
        self._ledger = ledger
        self._clerks = clerks

    async def hold(self, line: Line, flight: Flight) -> Hold | None:
        """Hold the most that this text can cost; None when a cap leaves no room."""
        micros = line.most_micros(flight.question)
        hold = partial(
            self._ledger.hold, line.source, micros=micros, seconds=line.longest_s + SETTLE_S
        )
        return await line.purse.take(partial(self._clerks.run, hold), micros=micros)

    async def settle(
        self, line: Line, flight: Flight, hold: Hold, answer: TeacherAnswer | None
    ) -> None:
        """Store the answer and pay for it, or pay for what may be billed although none came."""
        ledger = self._ledger
        if answer is not None and answer.status is not AnswerStatus.FAILED:
            act = partial(ledger.keep, line.source, flight.key, answer, hold)
        elif flight.posts.maybe_billed:
            # The server's trouble is not stored: it may be over the next time.
            act = partial(ledger.charge, hold, micros=_may_cost(line, flight, answer))
        else:
            act = partial(ledger.release, hold)
        try:
            await self._clerks.run(act)
        except DATABASE_FAULTS as error:
            # It stays held, and counts as spent; the answer is good for those who wait.
            log.warning("deferral_not_settled", error=type(error).__name__)
        finally:
            line.purse.paid()


def _may_cost(line: Line, flight: Flight, answer: TeacherAnswer | None) -> int:
    if answer is None:
        return line.micros_of(flight.question, flight.posts)
    return answer.cost_micros
