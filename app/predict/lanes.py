"""A model's queue: who is next in it, and which neighbours of like length go along.

Nothing here knows threads; whoever calls holds the batcher's lock.
"""

import asyncio
import time
from bisect import bisect_left, insort
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.predict.pace import Pace
from llkd.predictor import LENGTH_RATIO, LENGTH_STEP, MOST_ROWS, MOST_TOKENS
from llkd.predictor_tokens import Tokens
from llkd.types import FloatArray

Answer = Callable[[Sequence[Tokens]], FloatArray]


class Meter(Protocol):
    """What a lane's batches are counted on."""

    def count_wait(self, seconds: float) -> None: ...

    def count_batch(self, *, lengths: Sequence[int], seconds: float) -> None: ...

    def count_answers(self, probabilities: FloatArray, *, unsure: int, truncated: int) -> None: ...


class Work:
    """What one request asks of one model: its windows, and the answers that came so far.

    Attributes:
        answers: a row of probabilities [K] a window, in order; None where it is not there yet.
        answer: done once every window has its row; read them in `answers`.
    """

    __slots__ = (
        "answer",
        "answers",
        "began",
        "count",
        "is_complete",
        "lane",
        "loop",
        "missing",
        "piles",
        "queued",
        "tokens",
    )

    def __init__(
        self, lane: "Lane", answer: "asyncio.Future[None]", loop: asyncio.AbstractEventLoop
    ) -> None:
        self.lane = lane
        self.answer = answer
        self.loop = loop
        self.answers: list[FloatArray | None] = []
        self.missing = 0
        # False while more windows may still come.
        self.is_complete = False
        # On time.perf_counter(); `began` is when its first batch was taken, None before.
        self.queued = time.perf_counter()
        self.began: float | None = None
        # What waits: windows by their length, how many, and their tokens.
        self.piles: dict[int, deque[Item]] = {}
        self.count = 0
        self.tokens = 0

    @property
    def turn_tokens(self) -> float:
        """Tokens that a newcomer waits for: those of one batch, however many there are."""
        if self.count <= MOST_ROWS:
            return self.tokens
        return min(self.tokens * MOST_ROWS / self.count, float(MOST_TOKENS))


@dataclass(frozen=True, slots=True)
class Item:
    """One window in the queue."""

    work: Work
    place: int
    tokens: Tokens


class Lane:
    """The windows that wait for one model; there from the moment that it is to be loaded.

    Attributes:
        answer: the model, set once it is loaded; nothing is queued before.
        meter: what its batches are counted on.
        pace: how fast it answers.
        turn_tokens: what a newcomer's first batch waits for here.
        promised_tokens: of requests that were let in and are not queued yet.
    """

    def __init__(self, meter: Meter) -> None:
        self.answer: Answer = _not_loaded
        self.meter = meter
        self.pace = Pace()
        self.turn_tokens = 0.0
        self.promised_tokens = 0.0
        self._works: OrderedDict[Work, None] = OrderedDict()
        # By length, the piles of that length by their work; and the lengths, ascending.
        self._piles: dict[int, OrderedDict[Work, deque[Item]]] = {}
        self._lengths: list[int] = []

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._works)

    @property
    def ahead_seconds(self) -> float:
        """Seconds of one thread until a newcomer's turn, were this the only model."""
        return (self.turn_tokens + self.promised_tokens) * self.pace.seconds_a_token

    @property
    def requests(self) -> int:
        """How many requests wait."""
        return len(self._works)

    def leave(self) -> None:
        """Let go of the model."""
        self.answer = _not_loaded

    def add(self, work: Work, windows: Sequence[Tokens]) -> None:
        """Queue more windows of a work, behind those it has."""
        self.turn_tokens -= work.turn_tokens
        for tokens in windows:
            self._pile_up(Item(work, len(work.answers), tokens))
            work.answers.append(None)
            work.tokens += len(tokens)
        work.count += len(windows)
        work.missing += len(windows)
        self.turn_tokens += work.turn_tokens
        if work.count:
            self._works.setdefault(work)

    def take(self) -> list[Item]:
        """The next batch: a window of the work whose turn it is, and its neighbours.

        Neighbours are those of nearest length, one a work in turn; nobody's length is more
        than LENGTH_RATIO times, and LENGTH_STEP more than, that of the first or the reverse.
        """
        first = next(iter(self._works))
        length = next(iter(first.piles))
        batch = [self._pop(length, first)]
        longest = length
        for near in self._near(length):
            longest = max(longest, near)
            room = min(MOST_ROWS, MOST_TOKENS // longest) - len(batch)
            if room <= 0:
                break
            self._fill(batch, near, room=room)
        if first in self._works:
            self._works.move_to_end(first)
        return batch

    def drop(self, work: Work) -> None:
        """Forget what a work still waits for; nothing of it is taken any more."""
        if self._works.pop(work, self) is self:
            return
        self.turn_tokens = self.turn_tokens - work.turn_tokens if self._works else 0.0
        for length in work.piles:
            piles = self._piles[length]
            del piles[work]
            if not piles:
                self._forget(length)
        work.piles.clear()
        work.count = work.tokens = 0

    def _pile_up(self, item: Item) -> None:
        length = len(item.tokens)
        pile = item.work.piles.get(length)
        if pile is not None:
            pile.append(item)
            return
        pile = item.work.piles[length] = deque((item,))
        piles = self._piles.get(length)
        if piles is None:
            piles = self._piles[length] = OrderedDict()
            insort(self._lengths, length)
        piles[item.work] = pile

    def _near(self, length: int) -> Iterator[int]:
        """The queued lengths that may stand beside this one, the nearest first."""
        place = bisect_left(self._lengths, length)
        known = self._lengths[place:], self._lengths[:place]
        longer = [other for other in known[0] if other <= LENGTH_RATIO * length + LENGTH_STEP]
        shorter = [other for other in known[1] if length <= LENGTH_RATIO * other + LENGTH_STEP]
        return iter(sorted(shorter + longer, key=lambda other: abs(other - length)))

    def _fill(self, batch: list[Item], length: int, *, room: int) -> None:
        """Add up to `room` windows of this length, one a work in turn."""
        while room and (piles := self._piles.get(length)):
            work = next(iter(piles))
            batch.append(self._pop(length, work))
            if length in work.piles:
                piles.move_to_end(work)
            room -= 1

    def _pop(self, length: int, work: Work) -> Item:
        self.turn_tokens -= work.turn_tokens
        pile = work.piles[length]
        item = pile.popleft()
        work.count -= 1
        work.tokens -= length
        if not pile:
            del work.piles[length]
            piles = self._piles[length]
            del piles[work]
            if not piles:
                self._forget(length)
        if work.piles:
            self.turn_tokens += work.turn_tokens
        else:
            del self._works[work]
            if not self._works:
                # Sums of floats drift; an empty queue is the moment to say so exactly.
                self.turn_tokens = 0.0
        return item

    def _forget(self, length: int) -> None:
        del self._piles[length]
        del self._lengths[bisect_left(self._lengths, length)]


def _not_loaded(batch: Sequence[Tokens]) -> FloatArray:
    raise AssertionError(f"{len(batch)} windows were queued for a model that is not loaded")
