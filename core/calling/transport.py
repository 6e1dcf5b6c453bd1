"""What goes out by: all that pacing asks of an HTTP client."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, runtime_checkable


class Reply(Protocol):
    """A complete answer of a server, whatever its status."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Their names are in lower case."""
        ...

    @property
    def body(self) -> bytes: ...


@runtime_checkable
class CallFailed(Protocol):
    """What a client raises, an exception, when it got no complete reply.

    Known by its `kind` and not by its class, so that pacing needs no client's module: one of
    forbidden, dns, connect, tls, timeout, reset, too_large, redirect and protocol. Any
    other exception is a defect, and passes through unchanged.
    """

    @property
    def kind(self) -> str: ...


# The path below the server's base URL and the JSON body. The client follows no redirect
# and retries nothing: there is one layer of retries, and it is not there.
Post = Callable[[str, bytes], Awaitable[Reply]]
