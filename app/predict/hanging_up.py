"""Ending the work of a request whose client has left."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

# Most answers are there sooner; only after this long is the connection watched, by a task.
GRACE_SECONDS = 0.02


class HungUp(Exception):
    """The client has left; nobody reads an answer."""


@asynccontextmanager
async def until_hung_up(request: Request) -> AsyncIterator[None]:
    """Cancel what runs inside when the client leaves; its body has to be read before.

    Raises:
        HungUp: it left.
    """
    watch = _Watch(request)
    try:
        yield
    except asyncio.CancelledError:
        if not watch.has_left:
            raise
        watch.task.uncancel()
        raise HungUp from None
    finally:
        watch.stop()


class _Watch:
    def __init__(self, request: Request) -> None:
        current = asyncio.current_task()
        assert current is not None
        self.task = current
        self.has_left = False
        self._request = request
        self._watching: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(GRACE_SECONDS, self._start)

    def stop(self) -> None:
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()

    def _start(self) -> None:
        self._watching = asyncio.get_running_loop().create_task(self._wait())

    async def _wait(self) -> None:
        # The body has been read, so nothing else can come.
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self.has_left = True
        self.task.cancel()
