"""The calls of one probe: each is sent once, and what settles the matter ends it."""

import time
from dataclasses import dataclass
from typing import Any

import orjson

from app.teachers.schemas import FailureCode
from core.egress.client import Caller
from core.egress.errors import TeacherUrlForbidden
from core.egress.outcome import CallFailed, CallKind, Reply
from llkd.teachers.chat.calling import TOKENIZE, Called, Failure
from llkd.teachers.chat.reading import model_of, usage_of

FAILED_CALLS: dict[CallKind, FailureCode] = {
    "forbidden": "teacher-url-forbidden",
    "dns": "teacher-name-unknown",
    "connect": "teacher-unreachable",
    "reset": "teacher-unreachable",
    "tls": "teacher-tls",
    "timeout": "teacher-timeout",
    "too_large": "teacher-too-large",
    "redirect": "teacher-redirect",
    "protocol": "teacher-protocol",
}
# After these, nothing at all has come from the server.
BEFORE_CONTACT: frozenset[CallKind] = frozenset({"forbidden", "dns", "connect", "tls"})
# A field that the server does not take, as vLLM and OpenAI say it, and as FastAPI does.
BAD_REQUEST = frozenset({400, 422})
# What vLLM and SGLang answer when a log-probability is minus infinity: other ways may do.
NO_NUMBER = b"Out of range float values"


class ProbeEnded(Exception):
    """The server as a whole cannot be used, whichever way it is asked."""

    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(message)
        self.code: FailureCode = code


@dataclass
class Seen:
    """What the calls of one probe have shown of a server.

    Attributes:
        reachable: whether anything came from the server.
        status: of the last answer to a question, None before the first.
        model: as the last answer names it.
        latency_ms: of the quickest question that was answered, None before the first.
        input_tokens: as the server counts them, and so `output_tokens`.
    """

    reachable: bool = False
    status: int | None = None
    model: str | None = None
    latency_ms: float | None = None
    input_tokens: int = 0
    output_tokens: int = 0


class Wire:
    """A `llkd.teachers.chat.calling.Call` that notes what it sees.

    Nothing of an error's body is told: servers have been seen to quote the key in it.
    """

    def __init__(self, caller: Caller, *, path: str, timeout_s: float) -> None:
        """Take a caller of the server's root.

        Args:
            path: the base URL's; questions go below it.
            timeout_s: for all calls together.
        """
        self.seen = Seen()
        self._caller = caller
        self._path = path
        self._deadline = time.monotonic() + timeout_s

    async def __call__(self, path: str, body: bytes, *, tokens: int) -> Called:
        """Send it.

        Raises:
            ProbeEnded: no other request would fare better.
        """
        if path == TOKENIZE:
            # It stands beside `/v1`, and most servers have none.
            reply = await self._post(self._path.removesuffix("/v1") + path, body)
            found = _json_object(reply.body) if reply.status == 200 else None
            return Called(failure=Failure("permanent")) if found is None else Called(reply=found)
        begun = time.monotonic()
        reply = await self._post(self._path + path, body)
        self.seen.status = reply.status
        if reply.status in BAD_REQUEST:
            return Called(failure=Failure("bad_request", body=_json(reply.body)))
        if reply.status == 500 and NO_NUMBER in reply.body:
            return Called(failure=Failure("permanent", body=_json(reply.body)))
        if reply.status != 200:
            raise _ended(reply)
        answer = _json_object(reply.body)
        if answer is None:
            raise ProbeEnded("teacher-protocol", "The server's answer is no JSON object.")
        self._note(answer, milliseconds=1000 * (time.monotonic() - begun))
        return Called(reply=answer)

    async def _post(self, path: str, body: bytes) -> Reply:
        left = max(0.001, self._deadline - time.monotonic())
        try:
            reply = await self._caller.post(path, body, timeout_s=left)
        except CallFailed as failed:
            self.seen.reachable = self.seen.reachable or failed.kind not in BEFORE_CONTACT
            # One text for every reason, as when the URL itself is refused.
            forbidden = failed.kind == "forbidden"
            message = TeacherUrlForbidden().detail if forbidden else str(failed)
            raise ProbeEnded(FAILED_CALLS[failed.kind], message) from None
        self.seen.reachable = True
        return reply

    def _note(self, answer: dict[str, Any], *, milliseconds: float) -> None:
        usage, seen = usage_of(answer), self.seen
        seen.input_tokens += usage.tokens_in or 0
        seen.output_tokens += usage.tokens_out or 0
        seen.model = model_of(answer) or seen.model
        seen.latency_ms = min(seen.latency_ms or milliseconds, milliseconds)


def _ended(reply: Reply) -> ProbeEnded:
    said = f"(HTTP {reply.status})"
    match reply.status:
        case 401 | 403:
            return ProbeEnded("teacher-auth", f"The server wants a key, or another one {said}.")
        case 402:
            return ProbeEnded("teacher-quota", f"The server wants to be paid first {said}.")
        case 404 | 405:
            message = f"There is no such model, or no chat completion at this address {said}."
            return ProbeEnded("teacher-not-found", message)
        case 429 if b"insufficient_quota" in reply.body:
            return ProbeEnded("teacher-quota", f"The account has nothing left {said}.")
        case 429:
            return ProbeEnded("teacher-rate-limited", f"The server has too much to do {said}.")
        case status if status < 500:
            return ProbeEnded("teacher-refused", f"The server refuses the question {said}.")
        case _:
            return ProbeEnded("teacher-error", f"The server failed {said}.")


def _json(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _json_object(body: bytes) -> dict[str, Any] | None:
    found = _json(body)
    return found if isinstance(found, dict) else None
