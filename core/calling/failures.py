"""Why an attempt brought no answer, and what each reason is a sign of."""

from dataclasses import dataclass, field
from enum import StrEnum

from core.calling.transport import CallFailed


class FailureKind(StrEnum):
    """Why an attempt brought no answer; the first nine are what a transport tells."""

    FORBIDDEN = "forbidden"
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    RESET = "reset"
    TOO_LARGE = "too_large"
    REDIRECT = "redirect"
    PROTOCOL = "protocol"
    AUTH = "auth"
    QUOTA = "quota"
    RATE_LIMITED = "rate_limited"
    NOT_NOW = "not_now"
    SERVER = "server"
    NOT_JSON = "not_json"
    REFUSED = "refused"
    NON_FINITE = "non_finite"
    UNEXPECTED = "unexpected"


_OF_TRANSPORT = frozenset(
    {
        FailureKind.FORBIDDEN,
        FailureKind.DNS,
        FailureKind.CONNECT,
        FailureKind.TLS,
        FailureKind.TIMEOUT,
        FailureKind.RESET,
        FailureKind.TOO_LARGE,
        FailureKind.REDIRECT,
        FailureKind.PROTOCOL,
    }
)
_RETRYABLE = frozenset(
    {
        FailureKind.DNS,
        FailureKind.CONNECT,
        FailureKind.TIMEOUT,
        FailureKind.RESET,
        FailureKind.PROTOCOL,
        FailureKind.RATE_LIMITED,
        FailureKind.NOT_NOW,
        FailureKind.SERVER,
        FailureKind.NOT_JSON,
    }
)
_OVERLOAD = frozenset(
    {FailureKind.TIMEOUT, FailureKind.RATE_LIMITED, FailureKind.SERVER, FailureKind.NOT_JSON}
)
# A server that says so works: only this request does not.
_SIGN_OF_LIFE = frozenset({FailureKind.REFUSED, FailureKind.NON_FINITE})
_MAYBE_BILLED = frozenset(
    {
        FailureKind.TIMEOUT,
        FailureKind.RESET,
        FailureKind.TOO_LARGE,
        FailureKind.PROTOCOL,
        FailureKind.NOT_JSON,
        FailureKind.NON_FINITE,
    }
)


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt without an answer.

    Attributes:
        status: None if no complete reply came.
        wait_s: seconds that the server asked to wait.
        code: the server's own name for the fault, such as `content_filter`, or empty.
        message: the server's own words, at most 500 characters. They may quote the text,
            and those of a hostile server the key: to be read, not to be logged or stored.
    """

    kind: FailureKind
    status: int | None = None
    wait_s: float | None = None
    code: str = ""
    message: str = field(default="", repr=False)

    @property
    def is_retryable(self) -> bool:
        """The same request may succeed later."""
        return self.kind in _RETRYABLE

    @property
    def is_overload(self) -> bool:
        """Fewer calls at once might have spared it."""
        return self.kind in _OVERLOAD

    @property
    def is_outage(self) -> bool:
        """It speaks against the server, not against this one request."""
        return self.kind not in _SIGN_OF_LIFE

    @property
    def maybe_billed(self) -> bool:
        """The server may have done its work and charge for it, though no answer came."""
        return self.kind in _MAYBE_BILLED


def failure_of(error: Exception) -> Failure | None:
    """What a transport raised; None if it is a defect and no failed call."""
    if not isinstance(error, CallFailed) or error.kind not in _OF_TRANSPORT:
        return None
    return Failure(FailureKind(error.kind))
