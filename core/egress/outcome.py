"""What comes of a call: a reply, or one kind of failure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

CallKind = Literal[
    "forbidden",  # an address that the name stands for may not be called
    "dns",  # the name stands for no address
    "connect",  # no connection in time, so nothing was sent
    "tls",  # the server did not prove that it is the one named
    "timeout",  # the request was sent, the reply did not end in time
    "reset",  # the request was sent, the connection broke
    "too_large",
    "redirect",
    "protocol",  # what came is no HTTP/1.1, or was encoded although that was not asked for
]


@dataclass(frozen=True)
class Reply:
    """What a server answered, whatever its status below 300 or above 399.

    Attributes:
        headers: by lower-case name; values of a repeated header are joined by ", ".
    """

    status: int
    headers: Mapping[str, str]
    # Out of sight: it may quote a user's text.
    body: bytes = field(repr=False)


class CallFailed(Exception):
    """A call that brought no reply; the message names the server at most, and no secret.

    After "timeout", "reset", "too_large", "redirect" and "protocol" the server may have done
    the work, and may bill it.
    """

    def __init__(self, kind: CallKind, message: str) -> None:
        super().__init__(message)
        self.kind: CallKind = kind
