"""One text on its way to a teacher and back, for however many requests wait for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.predict.deferral.outcome import DeferralStatus, Deferred
from app.predict.deferral.posts import Posts
from llkd.types import Question


class Flight:
    """Used on one event loop.

    A flight that nobody waits for any more ends, unless its request was sent: that one is paid.

    Attributes:
        outcome: set once, when the answer is stored or there is none.
        posts: the requests made for it.
    """

    def __init__(self, question: Question, *, key: str) -> None:
        self.question = question
        self.key = key
        self.outcome: asyncio.Future[Deferred] = asyncio.get_running_loop().create_future()
        self.posts = Posts()
        self._waiting = 0
        self._scope: asyncio.Timeout | None = None

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._waiting == 0

    def join(self) -> None:
        """One request more waits for it."""
        self._waiting += 1

    def leave(self) -> None:
        """One request less does."""
        self._waiting -= 1
        if self.is_abandoned and not self.posts.maybe_billed:
            self.break_off()

    @asynccontextmanager
    async def asking(self, *, seconds: float) -> AsyncIterator[None]:
        """The time that its teacher may take; `break_off` makes it shorter.

        Raises:
            TimeoutError: it is over.
        """
        async with asyncio.timeout(seconds) as self._scope:
            try:
                yield
            finally:
                self._scope = None

    def break_off(self) -> None:
        """End the asking now, if it is under way."""
        if self._scope is not None and not self._scope.expired():
            self._scope.reschedule(asyncio.get_running_loop().time())

    def end(self, outcome: Deferred | DeferralStatus) -> None:
        """Tell everyone who waits."""
        if not self.outcome.done():
            told = outcome if isinstance(outcome, Deferred) else Deferred(outcome)
            self.outcome.set_result(told)
