"""What the client's tests share: one way to test two clients, and scripted services."""

import asyncio
import inspect
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any

import httpx

from llkd_client import AsyncClient, AsyncDistilledModel, Client, RetryPolicy
from llkd_client.surfaces import AsyncResource

Json = dict[str, Any]
Handler = Callable[[httpx.Request], httpx.Response]
# As patient as by default, at a hundredth of the waits.
QUICK = RetryPolicy(
    first_wait=0.005, longest_wait=0.1, longest_retry_after=1.0, longest_in_progress=6.0
)
URL = "http://service"
_opened: list[Any] = []


class Awaited:
    """An asynchronous client as a blocking one: each call is run to its end on a loop."""

    def __init__(self, target: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._target = target
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return self._seen(getattr(self._target, name))

    def close(self) -> None:
        self._loop.run_until_complete(self._target.close())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _seen(self, value: Any) -> Any:
        if isinstance(value, AsyncResource | AsyncDistilledModel):
            return Awaited(value, self._loop)
        if inspect.isawaitable(value):
            return self._seen(self._loop.run_until_complete(_finished(value)))
        if isinstance(value, AsyncGenerator):
            return self._items(value)
        if callable(value):
            return lambda *args, **kwargs: self._seen(value(*args, **kwargs))
        return value

    def _items(self, items: AsyncGenerator[Any, None]) -> Iterator[Any]:
        ended = object()
        try:
            while (item := self._loop.run_until_complete(anext(items, ended))) is not ended:
                yield item
        finally:
            self._loop.run_until_complete(items.aclose())


async def _finished(value: Any) -> Any:
    return await value


def client_of_kind(kind: str, url: str, **options: Any) -> Any:
    """A client to use as if it were the blocking one: `sync` or `async`."""
    client: Any
    if kind == "sync":
        client = Client(url, **options)
    else:
        client = Awaited(AsyncClient(url, **options), asyncio.new_event_loop())
    _opened.append(client)
    return client


def close_clients() -> None:
    """All that were made since the last time."""
    while _opened:
        _opened.pop().close()


class Script:
    """A service that answers with these, one after another, and keeps what it was asked.

    An exception among them is raised, as a connection that breaks would be.
    """

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        return self._next(request)

    async def serve(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return self._next(request)

    @property
    def is_over(self) -> bool:
        return not self._answers

    def client(self, kind: str = "sync", **options: Any) -> Any:
        handler: Any = self if kind == "sync" else self.serve
        options = {"retry": QUICK, **options}
        return client_of_kind(kind, URL, transport=httpx.MockTransport(handler), **options)

    def _next(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        assert self._answers, f"nobody expected {request.method} {request.url}"
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        # A new one each time: a response can be read once.
        return httpx.Response(answer.status_code, headers=answer.headers, stream=answer.stream)


DATASET = httpx.Response(
    201,
    json={
        "id": "ds_1",
        "name": "texts",
        "created_at": "2026-01-01T00:00:00Z",
        "size_bytes": 1,
        "statistics": {"rows": 1, "unique": 1, "duplicates": 0, "set_aside": 0},
    },
)


def problem(status: int, code: str = "", *, headers: Json | None = None, **told: Any) -> Any:
    body = {"title": "No", "status": status, "detail": "", "code": code, "errors": [], **told}
    return httpx.Response(status, json=body, headers=headers)


def job(state: str = "running", **fields: Any) -> Json:
    progress = {"percent": 62.5, "eta_seconds": 41.0, "teacher": {"answered": 10, "cached": 2}}
    base = {"id": "job_1", "object": "job", "state": state, "stage": "train"}
    return {**base, "progress": progress, **fields}


def event(number: int, kind: str = "train.metrics") -> str:
    told = {
        "id": str(number),
        "object": "event",
        "type": kind,
        "job_id": "job_1",
        "at": "2026-01-02T10:00:00Z",
        "data": {},
    }
    return f"event: {kind}\ndata: {json.dumps(told)}\nid: {number}\n\n"


def stream(*pieces: str, broken: bool = False) -> httpx.Response:
    """An event stream in these pieces; a broken one ends with a failure of the connection."""
    return httpx.Response(
        200, headers={"Content-Type": "text/event-stream"}, stream=Pieces(pieces, broken=broken)
    )


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, pieces: tuple[str, ...], *, broken: bool) -> None:
        self._pieces = pieces
        self._broken = broken

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            yield piece.encode()
        if self._broken:
            raise httpx.ReadError("the connection was reset")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece
