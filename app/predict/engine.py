"""Who predicts when: a few threads, fair turns, and a limit on how many may wait."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition, Thread

import numpy as np

from app.predict.errors import Overloaded
from app.predict.names import ModelRef
from llkd.types import Classified

# Texts a turn: enough to batch by length, few enough that a request of one text waits
# tens of milliseconds behind a request of ten thousand.
TEXTS_A_TURN = 64

Classify = Callable[[ModelRef, Sequence[str]], Classified]


@dataclass
class Work:
    """A request in the line; after each turn it goes to the end of the line."""

    model: ModelRef
    texts: Sequence[str]
    answer: "asyncio.Future[Classified]"
    loop: asyncio.AbstractEventLoop
    parts: list[Classified] = field(default_factory=list)
    done: int = 0
    abandoned: bool = False


class PredictEngine:
    """Runs `classify` on its own threads; `classify` must be safe on several at once.

    Args:
        threads: how many predict at the same time.
        queue: requests that may wait beyond those; one more is refused at once.
    """

    def __init__(self, classify: Classify, *, threads: int, queue: int) -> None:
        self._classify = classify
        self._most = threads + queue
        self._inside = 0
        self._line: deque[Work] = deque()
        self._changed = Condition()
        self._closed = False
        self._threads = [
            Thread(target=self._serve, name=f"predict-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """A place in the building, from the look-up of the model to the answer.

        Called on the event loop alone, so the count needs no lock.

        Raises:
            Overloaded: all places are taken.
        """
        if self._inside >= self._most:
            raise Overloaded(f"{self._inside} requests are being served or wait already.")
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    async def classify(self, model: ModelRef, texts: Sequence[str]) -> Classified:
        """Classify texts in fair turns; when cancelled, the turns that remain are skipped."""
        loop = asyncio.get_running_loop()
        work = Work(model, texts, loop.create_future(), loop)
        self._enqueue(work)
        try:
            return await work.answer
        finally:
            work.abandoned = True

    def close(self) -> None:
        """Let the turns that run end, and start no other."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _enqueue(self, work: Work) -> None:
        with self._changed:
            self._line.append(work)
            self._changed.notify()

    def _serve(self) -> None:
        while (work := self._next()) is not None:
            if work.abandoned:
                continue
            try:
                self._take_turn(work)
            except Exception as error:
                # Whatever went wrong belongs to this request; the thread serves the next.
                _tell(work, error)

    def _next(self) -> Work | None:
        with self._changed:
            while not self._line and not self._closed:
                self._changed.wait()
            return None if self._closed else self._line.popleft()

    def _take_turn(self, work: Work) -> None:
        texts = work.texts[work.done : work.done + TEXTS_A_TURN]
        work.parts.append(self._classify(work.model, texts))
        work.done += len(texts)
        if work.done < len(work.texts):
            self._enqueue(work)
        else:
            _tell(work, _joined(work.parts))


def _tell(work: Work, outcome: Classified | Exception) -> None:
    def settle() -> None:
        if work.answer.done():
            return
        if isinstance(outcome, Exception):
            work.answer.set_exception(outcome)
        else:
            work.answer.set_result(outcome)

    # A loop that is closed has nobody left who waits.
    if not work.loop.is_closed():
        work.loop.call_soon_threadsafe(settle)


def _joined(parts: Sequence[Classified]) -> Classified:
    return Classified(
        probabilities=np.concatenate([part.probabilities for part in parts]),
        truncated=np.concatenate([part.truncated for part in parts]),
        tokens=sum(part.tokens for part in parts),
    )
