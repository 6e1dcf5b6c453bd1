"""Sleeps that end at once when there is nothing left to wait for."""

import asyncio
from collections.abc import Awaitable, Callable

Sleep = Callable[[float], Awaitable[None]]


class Rests:
    """Sleeps of many callers, which `wake` ends all.

    Args:
        check: asked before and after every sleep; it raises to end the caller's waiting.
    """

    def __init__(self, sleep: Sleep, *, check: Callable[[], None]) -> None:
        self._sleep = sleep
        self._check = check
        self._asleep: set[asyncio.Future[None]] = set()

    async def rest(self, seconds: float) -> None:
        """Sleep for so long, or until all are woken."""
        self._check()
        sleeping = asyncio.ensure_future(self._sleep(seconds))
        self._asleep.add(sleeping)
        try:
            await asyncio.wait((sleeping,))
        finally:
            self._asleep.discard(sleeping)
            sleeping.cancel()
        self._check()

    def wake(self) -> None:
        """End every sleep."""
        for sleeping in self._asleep:
            sleeping.cancel()
