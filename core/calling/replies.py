"""What a server's reply is: the JSON object that was asked for, or a failure."""

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

from core.calling.failures import Failure, FailureKind
from core.calling.headers import asked_wait_s
from core.calling.transport import Reply

JsonObject = dict[str, Any]

# A server cannot write NaN as JSON and answers 500 with this text (vLLM, SGLang). The same
# prompt gives the same NaN.
NON_FINITE_TEXT = b"Out of range float values"
QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
MESSAGE_CHARACTERS = 500
# Letters and underscores: no key, which a hostile server could send back, looks so.
_CODE = re.compile(r"[A-Za-z_]{1,64}", re.ASCII)
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


def read_reply(reply: Reply, *, now: float) -> JsonObject | Failure:
    """The JSON object of a reply with status 200, or what failed.

    Args:
        now: seconds since 1970.
    """
    if reply.status == 200:
        answer = _json_object(reply.body)
        return Failure(FailureKind.NOT_JSON, 200) if answer is None else answer
    if NON_FINITE_TEXT in reply.body:
        return Failure(FailureKind.NON_FINITE, reply.status)
    code, message = _server_error(_json_object(reply.body) or {})
    kind = _kind_of_status(reply.status)
    if code in QUOTA_CODES and 400 <= reply.status < 500:
        kind = FailureKind.QUOTA
    wait_s = asked_wait_s(reply.headers, now=now)
    return Failure(kind, reply.status, wait_s, code, message)


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
