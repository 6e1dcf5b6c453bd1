"""What came of one attempt: a JSON object, or a failure that knows what it is a sign of."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from worker.calling.headers import asked_wait_s
from worker.calling.transport import CallFailed, Reply

JsonObject = dict[str, Any]

# A server cannot write NaN as JSON and answers 500 with this text (vLLM, SGLang). The same
# prompt gives the same NaN.
NON_FINITE_TEXT = b"Out of range float values"
QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
MESSAGE_CHARACTERS = 500
# Letters and underscores: no key, which a hostile server could send back, looks so.
_CODE = re.compile(r"[A-Za-z_]{1,64}", re.ASCII)


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
_KIND_OF_STATUS: Mapping[int, FailureKind] = {
    400: FailureKind.REFUSED,
    401: FailureKind.AUTH,
    402: FailureKind.QUOTA,
    403: FailureKind.AUTH,
    408: FailureKind.TIMEOUT,
    409: FailureKind.NOT_NOW,
    413: FailureKind.REFUSED,
    422: FailureKind.REFUSED,
    425: FailureKind.NOT_NOW,
    429: FailureKind.RATE_LIMITED,
    501: FailureKind.UNEXPECTED,
    # A gateway gave up; the model behind it may have gone on.
    504: FailureKind.TIMEOUT,
    505: FailureKind.UNEXPECTED,
}


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


def read_reply(reply: Reply, *, now: float) -> JsonObject | Failure:
    """The JSON object of a reply with status 200, or what failed.

    Args:
        now: seconds since 1970.
    """
    if reply.status == 200:
        answer = _json_object(reply.body)
        return Failure(FailureKind.NOT_JSON, 200) if answer is None else answer
    wait_s = asked_wait_s(reply.headers, now=now)
    if NON_FINITE_TEXT in reply.body:
        return Failure(FailureKind.NON_FINITE, reply.status)
    code, message = _server_error(_json_object(reply.body) or {})
    kind = _kind_of_status(reply.status)
    if code in QUOTA_CODES and 400 <= reply.status < 500:
        kind = FailureKind.QUOTA
    return Failure(kind, reply.status, wait_s, code, message)


def failure_of(error: Exception) -> Failure | None:
    """What a transport raised; None if it is a defect and no failed call."""
    if not isinstance(error, CallFailed) or error.kind not in _OF_TRANSPORT:
        return None
    return Failure(FailureKind(error.kind))


def _kind_of_status(status: int) -> FailureKind:
    if status in _KIND_OF_STATUS:
        return _KIND_OF_STATUS[status]
    if 200 <= status < 300:
        return FailureKind.NOT_JSON
    if 300 <= status < 400:
        return FailureKind.REDIRECT
    return FailureKind.SERVER if 500 <= status < 600 else FailureKind.UNEXPECTED


def _json_object(body: bytes) -> JsonObject | None:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = _lenient_json(body)
    return found if isinstance(found, dict) else None


def _lenient_json(body: bytes) -> object:
    """Also with NaN and Infinity, which some servers write: one bad number is a row's fault."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _server_error(body: JsonObject) -> tuple[str, str]:
    """Code and message of `{"error": {...}}`, or of the same fields at the top (older vLLM)."""
    error = body.get("error", body)
    if isinstance(error, str):
        return "", error[:MESSAGE_CHARACTERS]
    if not isinstance(error, dict):
        return "", ""
    names = (error.get("code"), error.get("type"))
    codes = [name for name in names if isinstance(name, str) and _CODE.fullmatch(name)]
    message = error.get("message")
    message = message[:MESSAGE_CHARACTERS] if isinstance(message, str) else ""
    return codes[0] if codes else "", message
