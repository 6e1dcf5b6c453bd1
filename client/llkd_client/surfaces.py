"""How one call becomes a method of a blocking client, and of an asynchronous one."""

import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any, Concatenate, ParamSpec, TypeVar

from llkd_client.driving import AsyncDriver, SyncDriver
from llkd_client.operations import Core, Items, Operation

P = ParamSpec("P")
T = TypeVar("T")


class Resource:
    """A group of blocking calls."""

    def __init__(self, driver: SyncDriver, core: Core) -> None:
        self._driver = driver
        self._core = core


class AsyncResource:
    """A group of asynchronous calls."""

    def __init__(self, driver: AsyncDriver, core: Core) -> None:
        self._driver = driver
        self._core = core


def blocking(
    call: Callable[Concatenate[Core, P], Operation[T]],
) -> Callable[Concatenate[Resource, P], T]:
    """The call as a method that returns when it is done."""

    def method(self: Resource, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._driver.run(call(self._core, *args, **kwargs))

    return _described(method, call)


def awaited(
    call: Callable[Concatenate[Core, P], Operation[T]],
) -> Callable[Concatenate[AsyncResource, P], Coroutine[Any, Any, T]]:
    """The call as a coroutine."""

    async def method(self: AsyncResource, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._driver.run(call(self._core, *args, **kwargs))

    return _described(method, call)


def iterated(
    call: Callable[Concatenate[Core, P], Items[T]],
) -> Callable[Concatenate[Resource, P], Generator[T, None, None]]:
    """The call as an iterator, which asks for more as it is read; `close()` leaves it early."""

    def method(self: Resource, /, *args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
        return self._driver.iterate(call(self._core, *args, **kwargs).operation)

    return _described(method, call)


def iterated_async(
    call: Callable[Concatenate[Core, P], Items[T]],
) -> Callable[Concatenate[AsyncResource, P], AsyncGenerator[T, None]]:
    """The call as an asynchronous iterator; `aclose()` leaves it early."""

    def method(
        self: AsyncResource, /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[T, None]:
        return self._driver.iterate(call(self._core, *args, **kwargs).operation)

    return _described(method, call)


M = TypeVar("M", bound=Callable[..., Any])


def _described(method: M, call: Callable[..., Any]) -> M:
    """With the call's own words and parameters, for `help()` and editors."""
    method.__doc__ = call.__doc__
    method.__name__ = method.__qualname__ = call.__name__
    signature = inspect.signature(call)
    _, *parameters = signature.parameters.values()
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    method.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[own, *parameters]
    )
    return method
