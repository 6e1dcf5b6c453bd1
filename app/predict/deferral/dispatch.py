"""Texts on their way: looked up, paid for and asked, each once at a time."""

import asyncio
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any

import structlog

from app.predict.deferral.clerks import Clerks
from app.predict.deferral.flight import Flight
from app.predict.deferral.ledger import Ledger, tell
from app.predict.deferral.line import Line
from app.predict.deferral.outcome import DeferralStatus
from app.predict.deferral.till import Till
from app.predict.names import DATABASE_FAULTS
from core.calling.breaker import Park
from core.ids import ModelId
from llkd.types import Question, TeacherAnswer

log = structlog.get_logger(__name__)

# What one model's teacher may have before it, asked or waiting.
MOST_IN_FLIGHT = 1000
# How long a process that stops waits for answers that are paid, and for what settles them.
LAST_ANSWERS_S = 2.0
LAST_WRITES_S = 6.0


class Dispatch:
    """Flights by model and key. Used on one event loop."""

    def __init__(self, ledger: Ledger, clerks: Clerks) -> None:
        self._ledger = ledger
        self._clerks = clerks
        self._till = Till(ledger, clerks)
        self._flights: dict[ModelId, dict[str, Flight]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closing = False

    def board(self, line: Line, questions: Sequence[Question]) -> list[Flight | None]:
        """A flight for each of these different questions, joined; None where there is no room.

        A question that is on its way already is not put a second time.
        """
        flights = self._flights.setdefault(line.source.model_id, {})
        boarded: list[Flight | None] = []
        new: list[Flight] = []
        for question in questions:
            key = line.key(question)
            flight = flights.get(key)
            if flight is None and len(flights) < MOST_IN_FLIGHT and not self._is_closing:
                flight = flights[key] = Flight(question, key=key)
                line.begin()
                new.append(flight)
            if flight is not None:
                flight.join()
            boarded.append(flight)
        if new:
            self._start(self._look_up(line, new), of=new)
        return boarded

    async def close(self) -> None:
        """Take no more; wait a little for answers, and settle or free all that is held."""
        self._is_closing = True
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=LAST_ANSWERS_S)
        for flight in self._all():
            flight.break_off()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=LAST_WRITES_S)
        for flight in self._all():
            flight.end(DeferralStatus.FAILED)

    def _all(self) -> list[Flight]:
        return [flight for flights in self._flights.values() for flight in flights.values()]

    def _start(self, work: Coroutine[Any, Any, None], *, of: Sequence[Flight]) -> None:
        task = asyncio.create_task(self._guarded(work, of))
        # The loop itself keeps no task alive.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None], flights: Sequence[Flight]) -> None:
        """Whatever goes wrong, nobody waits for ever."""
        try:
            await work
            return
        except DATABASE_FAULTS as error:
            log.warning("deferral_database_unreachable", error=type(error).__name__)
        except Exception as error:
            log.error("deferral_failed", exc_info=error)
        for flight in flights:
            flight.end(DeferralStatus.FAILED)

    async def _look_up(self, line: Line, flights: Sequence[Flight]) -> None:
        """End the flights whose answer is there, and send off the others."""
        keys = [flight.key for flight in flights]
        sent: set[str] = set()
        try:
            found = await self._clerks.run(partial(self._ledger.find, line.source, keys))
            for flight in flights:
                if flight.key in found:
                    flight.end(found[flight.key])
                else:
                    sent.add(flight.key)
                    self._start(self._fly(line, flight), of=[flight])
        finally:
            self._land(line, [flight for flight in flights if flight.key not in sent])

    async def _fly(self, line: Line, flight: Flight) -> None:
        try:
            async with line.slots:
                await self._ask(line, flight)
        finally:
            self._land(line, [flight])

    async def _ask(self, line: Line, flight: Flight) -> None:
        if self._is_pointless(flight):
            flight.end(DeferralStatus.TIMEOUT)
            return
        hold = await self._till.hold(line, flight)
        if hold is None:
            flight.end(DeferralStatus.BUDGET)
            return
        status, answer = await self._answer(line, flight)
        await self._till.settle(line, flight, hold, answer)
        flight.end(status if answer is None else tell(answer))

    def _is_pointless(self, flight: Flight) -> bool:
        return flight.is_abandoned or self._is_closing

    async def _answer(
        self, line: Line, flight: Flight
    ) -> tuple[DeferralStatus, TeacherAnswer | None]:
        """What came, or how it ended without anything."""
        if self._is_pointless(flight):
            return DeferralStatus.TIMEOUT, None
        try:
            async with flight.asking(seconds=line.longest_s):
                return DeferralStatus.ANSWERED, await line.ask(flight.question, flight.posts)
        except Park:
            return DeferralStatus.FAILED, None
        except TimeoutError:
            return DeferralStatus.TIMEOUT, None
        except Exception as error:
            # A defect; what was held for it is settled all the same.
            log.error("deferral_failed", exc_info=error)
            return DeferralStatus.FAILED, None

    def _land(self, line: Line, flights: Sequence[Flight]) -> None:
        known = self._flights.get(line.source.model_id, {})
        for flight in flights:
            known.pop(flight.key, None)
            line.end()
        if not known:
            self._flights.pop(line.source.model_id, None)
