"""Between the client's requests and answers and those of httpx."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, BinaryIO

import httpx

from llkd_client.address import Address
from llkd_client.answers import Answer
from llkd_client.errors import ConnectionFailed
from llkd_client.requests import Form, OnBytes, Request

# The request cannot have reached the service.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
CONNECT_SECONDS = 10.0


def timeout_of(silence_seconds: float) -> httpx.Timeout:
    """A connection is made soon or never; how long it may be silent depends."""
    return httpx.Timeout(silence_seconds, connect=min(CONNECT_SECONDS, silence_seconds))


@contextmanager
def built(
    http: httpx.Client | httpx.AsyncClient, address: Address, request: Request
) -> Iterator[httpx.Request]:
    """The request as httpx sends it; the files of its form are open meanwhile."""
    with ExitStack() as open_files:
        yield http.build_request(
            request.method,
            address.url + request.path,
            params=dict(request.query) or None,
            headers={"Accept": "application/json", **request.headers},
            json=request.body,
            timeout=_timeout(http, request),
            **({} if request.form is None else _opened_form(request.form, open_files)),
        )


def whole_answer(response: httpx.Response) -> Answer:
    """An answer that was read to its end."""
    return Answer(response.status_code, _headers(response), response.content)


def head_of(response: httpx.Response) -> Answer:
    """Status and headers of an answer that is still to be read."""
    return Answer(response.status_code, _headers(response))


@contextmanager
def told_as_connection_failed(address: Address) -> Iterator[None]:
    """Raise what httpx says of a lost connection as ConnectionFailed."""
    try:
        yield
    except httpx.RequestError as error:
        why = str(error) or type(error).__name__
        raise ConnectionFailed(
            f"{address.url} does not answer: {why}", sent=not isinstance(error, NOT_SENT)
        ) from error


def _opened_form(form: Form, open_files: ExitStack) -> dict[str, Any]:
    count = None if form.on_bytes is None else _Count(form.on_bytes)
    files = {}
    for part, file in form.files.items():
        opened = open_files.enter_context(file.open())
        if count is not None:
            count.total += opened.seek(0, 2)
            opened.seek(0)
        content = opened if count is None else _Counted(opened, count=count)
        files[part] = (file.name, content)
    return {"files": files, "data": dict(form.fields)}


def _timeout(http: httpx.Client | httpx.AsyncClient, request: Request) -> httpx.Timeout:
    own = request.silence_seconds
    told = http.timeout if own is None else timeout_of(own)
    return told if told.read is None else timeout_of(min(told.read, request.most_seconds))


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


class _Counted:
    """A file that tells how much of it was read, which is how much was sent."""

    def __init__(self, file: BinaryIO, *, count: "_Count") -> None:
        self._file = file
        self._count = count

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self._count.add(len(piece))
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


class _Count:
    def __init__(self, on_bytes: OnBytes) -> None:
        self._on_bytes = on_bytes
        self._sent = 0
        self.total = 0

    def add(self, count: int) -> None:
        if count:
            self._sent += count
            self._on_bytes(self._sent, self.total)
