"""A job's events as they happen: server-sent events over short polls of the database."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import anyio
import anyio.to_thread
import structlog
from fastapi.sse import format_sse_event
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.jobs.errors import TooManyStreams
from app.jobs.schemas import EventRead

log = structlog.get_logger(__name__)

MOST_STREAMS = 100
POLL_SECONDS = 0.5
# Proxies close a connection that is silent for a minute or so.
HEARTBEAT_SECONDS = 15.0
# What EventSource waits before it comes back, in milliseconds.
RETRY_MS = 2000
EVENTS_A_POLL = 100


@dataclass(frozen=True)
class News:
    """What one poll found.

    Attributes:
        ended: whether the job was terminal before these events were read: then its
            last event is among them, or among those read earlier.
    """

    events: list[EventRead]
    ended: bool


class StreamPlaces:
    """How many streams this process holds open. Used on the event loop alone."""

    def __init__(self, most: int = MOST_STREAMS) -> None:
        self._most = most
        self._open = 0

    @contextmanager
    def taken(self) -> Iterator[None]:
        """A place, for as long as the stream lasts."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    def refuse_when_full(self) -> None:
        """Raise TooManyStreams when no place is free; asked before an answer has begun."""
        if self._open >= self._most:
            raise TooManyStreams(self._open)


async def stream_events(
    read: Callable[[int], News], *, after: int, places: StreamPlaces
) -> AsyncIterator[bytes]:
    """Every event after this one, then each as it comes, until the job has ended.

    Args:
        read: the news after an event's number; runs on a thread and holds no session
            once it returns.
    """
    with places.taken():
        yield f"retry: {RETRY_MS}\n\n".encode()
        spoke = time.monotonic()
        while True:
            try:
                news = await anyio.to_thread.run_sync(read, after)
            except (OperationalError, InterfaceError, PoolTimeout) as error:
                # The client comes back with Last-Event-ID, and then gets a proper 503.
                log.warning("event_stream_broken", error=type(error).__name__)
                return
            for event in news.events:
                after = int(event.id)
                yield as_message(event)
            if news.events:
                spoke = time.monotonic()
            if len(news.events) == EVENTS_A_POLL:
                continue
            if news.ended:
                return
            if time.monotonic() - spoke >= HEARTBEAT_SECONDS:
                spoke = time.monotonic()
                yield format_sse_event(comment="still here")
            await anyio.sleep(POLL_SECONDS)


def as_message(event: EventRead) -> bytes:
    """One event on the wire; its data is the same JSON that the page of events shows."""
    return format_sse_event(data_str=event.model_dump_json(), event=event.type, id=event.id)
