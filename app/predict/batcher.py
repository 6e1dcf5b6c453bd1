"""Who predicts when: a free thread takes the next batch, and no timer makes anyone wait.

Models take turns, and within a model its requests do: a request of one text waits behind at
most one batch of each request and model that waits, never behind a whole large request.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from threading import Condition, Thread

from app.predict.lanes import Item, Lane, Work
from llkd.predictor_tokens import Tokens
from llkd.types import FloatArray


class Batcher:
    """Runs batches on its own threads. Lanes are only touched under its lock.

    Args:
        threads: how many batches run at the same time.
    """

    def __init__(self, *, threads: int) -> None:
        self.threads = max(1, threads)
        self._waiting: deque[Lane] = deque()
        self._changed = Condition()
        self._idle = 0
        self._closed = False
        self._threads = [
            Thread(target=self._serve, name=f"predict-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def open(self, lane: Lane) -> Work:
        """A work of this lane, whose answer is awaited on the running loop."""
        loop = asyncio.get_running_loop()
        return Work(lane, loop.create_future(), loop)

    def add(self, work: Work, windows: Sequence[Tokens]) -> None:
        """Queue windows of a work, of which more will follow. Safe to call from any thread."""
        with self._changed:
            self._queue(work, windows)

    def add_last(self, work: Work, windows: Sequence[Tokens]) -> None:
        """Queue the last windows of a work, at least one. Safe to call from any thread."""
        with self._changed:
            work.is_complete = True
            self._queue(work, windows)

    def abandon(self, work: Work) -> None:
        """Skip what is still queued of a work; its answer comes no more."""
        with self._changed:
            work.answer.cancel()
            self._drop(work)

    def ahead_seconds(self, lane: Lane | None, *, enough: float) -> float:
        """How long a newcomer's first batch would wait in this lane, turns taken into account.

        Args:
            lane: None for a model that nobody waits for.
            enough: stop adding up beyond so many seconds.
        """
        with self._changed:
            own = 0.0 if lane is None else lane.ahead_seconds
            turns = 1 + (0 if lane is None else own / lane.pace.seconds_a_batch)
            total = own
            for other in self._waiting:
                if total > enough * self.threads:
                    break
                if other is not lane:
                    total += min(other.ahead_seconds, turns * other.pace.seconds_a_batch)
            return total / self.threads

    def promise(self, lane: Lane, tokens: float) -> None:
        """Count a request that was let in and is not queued yet; negative takes it back."""
        with self._changed:
            lane.promised_tokens = max(0.0, lane.promised_tokens + tokens)

    def close(self) -> None:
        """Let the batches that run end, and start no other."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _queue(self, work: Work, windows: Sequence[Tokens]) -> None:
        # Whoever asked may have left while the texts were read.
        if work.answer.done():
            return
        lane = work.lane
        if not lane:
            self._waiting.append(lane)
        lane.add(work, windows)
        if self._idle:
            self._changed.notify(min(self._idle, len(windows)))

    def _serve(self) -> None:
        while (taken := self._next()) is not None:
            lane, batch = taken
            try:
                self._settle(batch, self._answers(lane, batch))
            except Exception as error:
                self._part(lane, batch, error)

    def _answers(self, lane: Lane, batch: Sequence[Item]) -> FloatArray:
        began = time.perf_counter()
        for item in batch:
            work = item.work
            if work.began is None:
                work.began = began
                lane.meter.count_wait(began - work.queued)
        answers = lane.answer([item.tokens for item in batch])
        lengths = [len(item.tokens) for item in batch]
        seconds = time.perf_counter() - began
        lane.pace.count(seconds=seconds, tokens=sum(lengths))
        lane.meter.count_batch(lengths=lengths, seconds=seconds)
        return answers

    def _part(self, lane: Lane, batch: Sequence[Item], error: Exception) -> None:
        """After a failure: it belongs to one request, and its neighbours are asked alone."""
        if len({item.work for item in batch}) == 1:
            self._fail(batch[0].work, error)
            return
        for item in batch:
            try:
                self._settle([item], self._answers(lane, [item]))
            except Exception as own:
                # Whatever went wrong belongs to this request; the thread serves the next.
                self._fail(item.work, own)

    def _settle(self, batch: Sequence[Item], answers: FloatArray) -> None:
        """Hand out the rows, and tell the works that have all of theirs."""
        finished: dict[asyncio.AbstractEventLoop, list[Work]] = {}
        with self._changed:
            for item, row in zip(batch, answers, strict=True):
                work = item.work
                work.answers[item.place] = row
                work.missing -= 1
                if work.missing == 0 and work.is_complete:
                    finished.setdefault(work.loop, []).append(work)
        # One message a batch: each wakes the loop by a system call.
        for loop, works in finished.items():
            _tell(loop, works, None)

    def _fail(self, work: Work, error: Exception) -> None:
        with self._changed:
            self._drop(work)
        _tell(work.loop, [work], error)

    def _drop(self, work: Work) -> None:
        lane = work.lane
        was_waiting = bool(lane)
        lane.drop(work)
        if was_waiting and not lane:
            self._waiting.remove(lane)

    def _next(self) -> tuple[Lane, list[Item]] | None:
        with self._changed:
            while not self._waiting and not self._closed:
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
            if self._closed:
                return None
            lane = self._waiting.popleft()
            batch = lane.take()
            if lane:
                self._waiting.append(lane)
            return lane, batch


def _tell(loop: asyncio.AbstractEventLoop, works: Sequence[Work], error: Exception | None) -> None:
    def settle() -> None:
        for work in works:
            if work.answer.done():
                continue
            if error is None:
                work.answer.set_result(None)
            else:
                work.answer.set_exception(error)

    # A loop that is closed has nobody left who waits.
    if not loop.is_closed():
        loop.call_soon_threadsafe(settle)
