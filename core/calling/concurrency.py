"""How many calls are in flight at once: as many as the server proves to bear."""

import asyncio
from collections import deque

# Low enough not to fell a server on one GPU, high enough to be at 64 within a minute.
FIRST_LIMIT = 8


class AdaptiveLimit:
    """Additive increase, multiplicative decrease, and a fair line for those who wait.

    Calls that begin between two cuts make up a round. A window is as many successes of one
    round as the limit is; each raises the limit by 1 if every slot was taken in it, since
    what was never tried proves nothing. The first overload of a round halves the limit and
    begins the next one, so calls that were in flight together cut once.

    Args:
        cap: the limit's highest value; its lowest is 1.

    Source: Chiu and Jain (1989), for the increase and decrease.
    """

    def __init__(self, *, cap: int) -> None:
        self._cap = cap
        self._limit = min(cap, FIRST_LIMIT)
        self._in_flight = 0
        self._round = 0
        self._successes = 0
        self._was_full = False
        self._line: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        return self._limit

    @property
    def in_flight(self) -> int:
        """Slots taken, some by calls that wait for the rate; beyond the limit after a cut."""
        return self._in_flight

    async def acquire(self) -> int:
        """Wait for a slot, first come first served; returns the round it belongs to."""
        # A free slot means that nobody waits: each is handed over the moment it is free.
        if self._in_flight < self._limit:
            self._take()
            return self._round
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                # The slot was handed over in the moment of the cancellation.
                self.release()
            raise
        return self._round

    def release(self) -> None:
        """Give a slot back; the next in line has it before anyone who comes later."""
        self._in_flight -= 1
        self._hand_over()

    def succeed(self, began_in: int) -> None:
        """A call of this round was answered."""
        if began_in != self._round:
            return
        self._successes += 1
        if self._successes < self._limit:
            return
        if self._was_full:
            self._limit = min(self._cap, self._limit + 1)
        self._successes, self._was_full = 0, False
        self._hand_over()

    def overload(self, began_in: int) -> None:
        """A call of this round was too much for the server."""
        if began_in != self._round:
            return
        self._limit = max(1, self._limit // 2)
        self._round += 1
        self._successes, self._was_full = 0, False

    def let_all_in(self) -> None:
        """Give everyone in line a slot, whatever the limit: what lies behind turns them away."""
        while self._line:
            self._hand_to_next()

    def _hand_over(self) -> None:
        while self._line and self._in_flight < self._limit:
            self._hand_to_next()

    def _hand_to_next(self) -> None:
        turn = self._line.popleft()
        if not turn.done():
            turn.set_result(None)
            self._take()

    def _take(self) -> None:
        self._in_flight += 1
        self._was_full = self._was_full or self._in_flight >= self._limit
