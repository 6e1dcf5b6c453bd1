"""How many requests of one text may be billed, whatever becomes of them."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass

from app.predict.deferral.figures import CALLS
from core.calling.failures import failure_of
from core.egress.outcome import CallFailed, Reply


@dataclass
class Posts:
    """Counts the requests of one text.

    Attributes:
        maybe_billed: answered, broken off after they were sent, or still under way.
    """

    maybe_billed: int = 0


# Of the task that asks: pacing lies in between, and knows of no text.
_counted: ContextVar[Posts] = ContextVar("counted_posts")


def count_posts(posts: Posts) -> None:
    """Count what this task posts from now on."""
    _counted.set(posts)


async def counted(post: Callable[[], Awaitable[Reply]]) -> Reply:
    """Post, and count it for the task that asks."""
    posts = _counted.get()
    posts.maybe_billed += 1
    try:
        reply = await post()
    except CallFailed as failed:
        CALLS.labels("failed").inc()
        failure = failure_of(failed)
        if failure is not None and not failure.maybe_billed:
            posts.maybe_billed -= 1
        raise
    CALLS.labels("replied").inc()
    if reply.status != 200:
        posts.maybe_billed -= 1
    return reply
