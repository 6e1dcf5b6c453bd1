"""What one model's calls hold in this process, and whether to try to hold more."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from datetime import datetime

from core.db.repositories.deferrals import Hold

# How long caps that left no room are believed to leave none for as much: a thousand texts must
# not ask the database a thousand times.
BROKE_S = 1.0


class Purse:
    """Made on any thread, used on one event loop.

    That there is no room for a long text says nothing of shorter ones, whose calls cost less:
    what was refused, and what waits for a payment, stands in the way of as much or more alone.
    """

    def __init__(self) -> None:
        # The database is asked by one at a time.
        self._turn = asyncio.Lock()
        # Set at the next payment, and then another one.
        self._payment = asyncio.Event()
        self._held = 0
        # The least for which there is no room before the next payment.
        self._no_room_for = math.inf
        # The least that was refused, and until when that is believed.
        self._refused = math.inf
        self._refused_until = 0.0
        self._caps_given: datetime | None = None

    def under_caps_of(self, given: datetime) -> None:
        """Forget what was refused if the caps were given anew since.

        Args:
            given: when the caps were given that hold now.
        """
        if given != self._caps_given:
            self._caps_given = given
            self._refused_until = 0.0

    async def take(self, hold: Callable[[], Awaitable[Hold | None]], *, micros: int) -> Hold | None:
        """Hold a call; None when the caps leave no room and nothing is held here either.

        A call costs less than what is held for it, so there may be room once one is paid.

        Args:
            micros: what `hold` tries to hold.
        """
        now = asyncio.get_running_loop().time
        while True:
            async with self._turn:
                if micros >= self._refused and now() < self._refused_until:
                    return None
                payment = self._payment
                if micros < self._no_room_for:
                    held = await hold()
                    if held is not None:
                        self._held += 1
                        return held
                    if payment.is_set():
                        # Perhaps the database was asked before it was paid.
                        continue
                    if not self._held:
                        self._refused, self._refused_until = micros, now() + BROKE_S
                        return None
                    self._no_room_for = micros
            await payment.wait()

    def paid(self) -> None:
        """One call holds nothing any more."""
        self._held -= 1
        self._no_room_for = math.inf
        self._payment.set()
        self._payment = asyncio.Event()
