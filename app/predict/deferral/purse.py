"""What one model's calls hold in this process, and whether to try to hold more."""

import asyncio
from collections.abc import Awaitable, Callable

from core.db.repositories.deferrals import Hold

# How long a cap that left no room is believed to leave none: a thousand texts must not ask
# the database a thousand times.
BROKE_S = 1.0


class Purse:
    """Made on any thread, used on one event loop."""

    def __init__(self) -> None:
        # One after another: who finds no room waits for all that come later.
        self._turn = asyncio.Lock()
        self._paid = asyncio.Event()
        self._held = 0
        self._broke_until = 0.0

    async def take(self, hold: Callable[[], Awaitable[Hold | None]]) -> Hold | None:
        """Hold a call; None when the caps leave no room and nothing is held here either.

        A call costs less than what is held for it, so there may be room once one is paid.
        """
        now = asyncio.get_running_loop().time
        async with self._turn:
            while now() >= self._broke_until:
                self._paid.clear()
                held = await hold()
                if held is not None:
                    self._held += 1
                    return held
                if not self._held:
                    self._broke_until = now() + BROKE_S
                    return None
                await self._paid.wait()
        return None

    def paid(self) -> None:
        """One call holds nothing any more."""
        self._held -= 1
        self._paid.set()
