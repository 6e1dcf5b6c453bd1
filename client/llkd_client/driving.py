"""Does what operations want done, blocking or not: all that the two clients differ in."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import httpx

from llkd_client.address import Address
from llkd_client.answers import Answer
from llkd_client.operations import Close, Open, Operation, Read, Send, Sleep, Step, Tell
from llkd_client.requests import Request
from llkd_client.wire import built, head_of, told_as_connection_failed, whole_answer

T = TypeVar("T")


class _Outcome:
    """Feeds an operation what came of its last step, and takes the next one."""

    def __init__(self, operation: Operation[T]) -> None:
        self._operation = operation
        self.result: Any = None

    def first(self) -> Step | None:
        return self._next(lambda: next(self._operation))

    def came(self, value: object) -> Step | None:
        """The next step; None at the end, with its result in `result`."""
        return self._next(lambda: self._operation.send(value))

    def failed(self, error: BaseException) -> Step | None:
        return self._next(lambda: self._operation.throw(error))

    def close(self) -> None:
        self._operation.close()

    def _next(self, step: Any) -> Step | None:
        try:
            return cast(Step, step())
        except StopIteration as ended:
            self.result = ended.value
            return None


class SyncDriver:
    """Drives operations by blocking."""

    def __init__(self, address: Address, http: httpx.Client) -> None:
        self._address = address
        self._http = http

    def run(self, operation: Operation[T]) -> T:
        """What the operation comes to; whatever goes wrong in a step is raised inside it."""
        outcome = _Outcome(operation)
        with _Line(self._address, self._http) as line:
            step = outcome.first()
            while step is not None:
                try:
                    came = line.do(step)
                except BaseException as error:
                    step = outcome.failed(error)
                else:
                    step = outcome.came(came)
        return cast(T, outcome.result)

    def iterate(self, operation: Operation[None]) -> Generator[Any, None, None]:
        outcome = _Outcome(operation)
        with _Line(self._address, self._http) as line:
            try:
                step = outcome.first()
                while step is not None:
                    if isinstance(step, Tell):
                        yield step.item
                        step = outcome.came(None)
                        continue
                    try:
                        came = line.do(step)
                    except Exception as error:
                        step = outcome.failed(error)
                    else:
                        step = outcome.came(came)
            finally:
                outcome.close()

    def close(self) -> None:
        self._http.close()


class AsyncDriver:
    """Drives operations on asyncio's event loop."""

    def __init__(self, address: Address, http: httpx.AsyncClient) -> None:
        self._address = address
        self._http = http

    async def run(self, operation: Operation[T]) -> T:
        """As SyncDriver.run."""
        outcome = _Outcome(operation)
        async with _AsyncLine(self._address, self._http) as line:
            step = outcome.first()
            while step is not None:
                try:
                    came = await line.do(step)
                except BaseException as error:
                    step = outcome.failed(error)
                else:
                    step = outcome.came(came)
        return cast(T, outcome.result)

    async def iterate(self, operation: Operation[None]) -> AsyncGenerator[Any, None]:
        outcome = _Outcome(operation)
        async with _AsyncLine(self._address, self._http) as line:
            try:
                step = outcome.first()
                while step is not None:
                    if isinstance(step, Tell):
                        yield step.item
                        step = outcome.came(None)
                        continue
                    try:
                        came = await line.do(step)
                    except Exception as error:
                        step = outcome.failed(error)
                    else:
                        step = outcome.came(came)
            finally:
                outcome.close()

    async def close(self) -> None:
        await self._http.aclose()


class _Line:
    """Does single steps; holds what one of them opened."""

    def __init__(self, address: Address, http: httpx.Client) -> None:
        self._address = address
        self._http = http
        self._opened: httpx.Response | None = None
        self._pieces: Iterator[bytes] = iter(())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def do(self, step: Step) -> object:
        match step:
            case Sleep(seconds):
                time.sleep(seconds)
                return None
            case Close():
                self._close()
                return None
        with told_as_connection_failed(self._address):
            match step:
                case Send(request):
                    with built(self._http, self._address, request) as asked:
                        return whole_answer(self._http.send(asked))
                case Open(request):
                    return self._open(request)
                case Read():
                    return next(self._pieces, b"")
        raise AssertionError(f"a driver does no {step}")

    def _open(self, request: Request) -> Answer:
        self._close()
        with built(self._http, self._address, request) as asked:
            response = self._http.send(asked, stream=True)
        self._opened = response
        if not response.is_success:
            response.read()
            return whole_answer(response)
        self._pieces = response.iter_bytes()
        return head_of(response)

    def _close(self) -> None:
        opened, self._opened, self._pieces = self._opened, None, iter(())
        if opened is not None:
            opened.close()


class _AsyncLine:
    """As _Line, without blocking; files are small pieces each, and are read as they are."""

    def __init__(self, address: Address, http: httpx.AsyncClient) -> None:
        self._address = address
        self._http = http
        self._opened: httpx.Response | None = None
        self._pieces: AsyncIterator[bytes] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._close()

    async def do(self, step: Step) -> object:
        match step:
            case Sleep(seconds):
                await asyncio.sleep(seconds)
                return None
            case Close():
                await self._close()
                return None
        with told_as_connection_failed(self._address):
            match step:
                case Send(request):
                    with built(self._http, self._address, request) as asked:
                        return whole_answer(await self._http.send(asked))
                case Open(request):
                    return await self._open(request)
                case Read():
                    return b"" if self._pieces is None else await anext(self._pieces, b"")
        raise AssertionError(f"a driver does no {step}")

    async def _open(self, request: Request) -> Answer:
        await self._close()
        with built(self._http, self._address, request) as asked:
            response = await self._http.send(asked, stream=True)
        self._opened = response
        if not response.is_success:
            await response.aread()
            return whole_answer(response)
        self._pieces = response.aiter_bytes()
        return head_of(response)

    async def _close(self) -> None:
        opened, self._opened = self._opened, None
        pieces, self._pieces = self._pieces, None
        try:
            # One that is only dropped is ended later, by a loop that may have closed by then.
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()
        finally:
            if opened is not None:
                await opened.aclose()
