"""A teacher behind a wire: many questions at once, each answer stored as it comes."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from core.calling.breaker import Park
from core.db.repositories.engine import GhostWorker
from core.lifecycle import StopReason
from llkd.types import Question, TeacherAnswer
from worker.asking.desk import Asked
from worker.asking.failures import FailureLog
from worker.asking.purse import Payment, Purse
from worker.asking.remote_teacher import RemoteTeacher
from worker.asking.store import AnswerStore
from worker.labelling_time import LabellingTime
from worker.tally import Tally

Result = TypeVar("Result")

# So many questions that waiting for the slowest of them is a small part of the time.
AT_ONCE = 4096
# Calls are held in blocks: a transaction for each would be the slowest part of a fast server.
# A block is half of what may be in flight, so that the database keeps up with many calls; what
# is held and not in use yet counts as spent after a crash, so it is no more than that.
LEAST_BLOCK = 16
# How soon a request to stop is seen, and how long calls in flight are waited for then:
# less than the supervisor waits before it kills.
LOOK_S = 0.25
PATIENCE_S = 10.0


@dataclass(frozen=True)
class _Held:
    """A question whose price is held, by its place among those put."""

    place: int
    micros: int


@dataclass(frozen=True)
class _Done:
    """An answer that is to be stored; `kept` is set once it is."""

    held: _Held
    answer: TeacherAnswer
    kept: asyncio.Event


class RemoteDesk:
    """A teacher server behind the store of its answers.

    A call keeps its place among those in flight until its answer is stored, so a crash
    loses no more answers than calls may be in flight. Answers that come while a transaction
    runs are stored together by the next one.

    Args:
        runner: of the event loop in which the teacher was made.
        is_stopping: whether this process was asked to stop: no new call is made then.
    """

    def __init__(
        self,
        teacher: RemoteTeacher,
        *,
        store: AnswerStore,
        purse: Purse,
        runner: asyncio.Runner,
        labelling_time: LabellingTime,
        is_stopping: Callable[[], bool],
    ) -> None:
        self.tally = Tally()
        self.turned_down: StopReason | None = None
        self.labelling_time = labelling_time
        self.teacher = teacher
        self.store = store
        self.purse = purse
        self.is_stopping = is_stopping
        self.failures = FailureLog()
        self._runner = runner
        # The database is one thread's at a time, and never the event loop's.
        self._clerk = ThreadPoolExecutor(1, thread_name_prefix="answers")

    @property
    def batch_size(self) -> int:
        return AT_ONCE

    def find(self, questions: Sequence[Question]) -> list[Asked | None]:
        found = self.store.find(questions)
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
        if self.turned_down is None and self.labelling_time.is_over:
            self.turned_down = StopReason.TIME
        if self.turned_down is not None:
            return [None] * len(questions)
        return self._runner.run(_Round(self, questions, places, told).run())

    async def clerk(self, act: Callable[[], Result]) -> Result:
        """Run what waits for the database beside the event loop, one thing after another."""
        return await asyncio.get_running_loop().run_in_executor(self._clerk, act)

    def recount(self) -> None:
        self.tally, self.turned_down = Tally(), None

    def close(self) -> None:
        self._runner.run(self.teacher.close())
        self._runner.close()
        self._clerk.shutdown()


class _Round:
    """One call of `ask`: a feeder holds money, callers ask, a keeper stores."""

    def __init__(
        self,
        desk: RemoteDesk,
        questions: Sequence[Question],
        places: Sequence[int | None],
        told: Callable[[int], None],
    ) -> None:
        self._desk = desk
        self._questions = questions
        self._places = places
        self._told = told
        self._answers: list[Asked | None] = [None] * len(questions)
        self._over = 0
        # What ends the round early, raised once everything that was paid for is stored.
        self._ending: Exception | None = None
        self._block = max(LEAST_BLOCK, desk.teacher.concurrency // 2)
        # Small: what waits here is held from the budget and not in use yet.
        self._held: asyncio.Queue[_Held | None] = asyncio.Queue(self._block)
        self._done: asyncio.Queue[_Done | None] = asyncio.Queue()
        self._unused: list[_Held] = []
        self._asking: set[asyncio.Task[None]] = set()
        self._gave_up = False
        self._paid = asyncio.Event()

    async def run(self) -> list[Asked | None]:
        keeper = asyncio.create_task(self._keep())
        callers = [
            asyncio.create_task(self._call())
            for _ in range(min(self._desk.teacher.concurrency, len(self._questions)))
        ]
        guard = asyncio.create_task(self._guard())
        await self._feed()
        for _ in callers:
            await self._held.put(None)
        await asyncio.gather(*callers)
        guard.cancel()
        await self._done.put(None)
        await keeper
        await self._put_back()
        ran_out = self._desk.labelling_time.is_over
        # A server that cannot be asked is of no matter once it is not to be asked.
        if self._ending is not None and not (ran_out and isinstance(self._ending, Park)):
            raise self._ending
        if ran_out and None in self._answers and self._desk.turned_down is None:
            self._desk.turned_down = StopReason.TIME
        return self._answers

    async def _feed(self) -> None:
        """Hold the price of one block of questions after another, and pass them on."""
        teacher, purse = self._desk.teacher, self._desk.purse
        waiting = [
            _Held(place, teacher.most_micros(self._questions[place]))
            for place in teacher.order(self._questions)
        ]
        while waiting and not self._is_ending():
            block = waiting[: self._block]
            self._paid.clear()
            try:
                calls = await self._desk.clerk(partial(purse.hold, [each.micros for each in block]))
            except GhostWorker as error:
                self._end(error)
                return
            for each in block[:calls]:
                await self._held.put(each)
            del waiting[:calls]
            if calls == len(block):
                continue
            if not purse.holds_calls:
                self._desk.turned_down = StopReason.BUDGET
                return
            # Calls cost less than what is held for them: there may be room once one is paid.
            await self._paid.wait()

    async def _call(self) -> None:
        """Ask one question after another, each until its answer is stored."""
        while (held := await self._held.get()) is not None:
            if self._is_ending():
                self._unused.append(held)
                continue
            try:
                answer = await self._ask(held)
            except asyncio.CancelledError:
                if not self._gave_up:
                    raise
            except Exception as error:
                # What is held for it stays so if it may have been billed.
                if isinstance(error, Park) and not error.effort.maybe_billed:
                    self._unused.append(held)
                self._end(error)
            else:
                done = _Done(held, answer, asyncio.Event())
                self._done.put_nowait(done)
                await done.kept.wait()

    async def _ask(self, held: _Held) -> TeacherAnswer:
        caller = asyncio.current_task()
        assert caller is not None, "a caller is a task"
        self._asking.add(caller)
        try:
            return await self._desk.teacher.ask(self._questions[held.place])
        finally:
            self._asking.discard(caller)

    async def _keep(self) -> None:
        """Store the answers, all that are there at a time."""
        while (first := await self._done.get()) is not None:
            group = [first, *self._more_done()]
            try:
                await self._desk.clerk(partial(self._desk.purse.pay, self._payment(group)))
                self._note(group)
                await self._desk.clerk(partial(self._told, self._over))
            except Exception as error:
                self._end(error)
            self._paid.set()
            for done in group:
                done.kept.set()

    def _more_done(self) -> Iterator[_Done]:
        """What else came meanwhile; the end of the queue stays in it."""
        while not self._done.empty():
            done = self._done.get_nowait()
            if done is None:
                self._done.put_nowait(None)
                return
            yield done

    def _payment(self, group: Sequence[_Done]) -> Payment:
        places = [done.held.place for done in group]
        answers = [done.answer for done in group]
        return Payment(
            self._desk.store.rows([self._questions[place] for place in places], answers),
            held_micros=sum(done.held.micros for done in group),
            spent_micros=sum(answer.cost_micros for answer in answers),
            failures=self._desk.failures.of(
                answers, places=[self._places[place] for place in places]
            ),
        )

    def _note(self, group: Sequence[_Done]) -> None:
        for done in group:
            self._desk.tally.add(done.answer, cached=False)
            self._answers[done.held.place] = Asked(done.answer, cached=False)
        self._over += len(group)

    async def _put_back(self) -> None:
        """Free what was held for questions that were never asked."""
        calls, micros = len(self._unused), sum(each.micros for each in self._unused)
        await self._desk.clerk(partial(self._desk.purse.release, calls=calls, micros=micros))

    async def _guard(self) -> None:
        """Give up on calls that are still in flight some time after the process was to stop."""
        while not self._desk.is_stopping():
            await asyncio.sleep(LOOK_S)
        self._paid.set()
        await asyncio.sleep(PATIENCE_S)
        self._gave_up = True
        # Only those that wait for the server: the others have something to store or put back.
        for caller in list(self._asking):
            caller.cancel()

    def _is_ending(self) -> bool:
        desk = self._desk
        return self._ending is not None or desk.is_stopping() or desk.labelling_time.is_over

    def _end(self, error: Exception) -> None:
        self._ending = self._ending or error
        self._paid.set()
