"""What can go wrong: one class for each thing that a caller would do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class LlkdError(Exception):
    """Root of all errors of this package."""


class BadAddress(LlkdError):
    """The URL or the key cannot be used; the message never shows either's secret part."""


class BadName(LlkdError, ValueError):
    """Nothing can have this name or id: it is empty, or one that an address would swallow."""


class ConnectionFailed(LlkdError):
    """No answer came: wrong address, nobody listens, or the connection broke.

    Attributes:
        sent: whether the request may have reached the service.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class UnexpectedAnswer(LlkdError):
    """What answered does not speak the contract: another service, or a much newer one."""


@dataclass(frozen=True)
class Fault:
    """One fault inside a request: where (a JSON pointer, or a place in a file) and what."""

    pointer: str
    code: str
    message: str


@dataclass(frozen=True)
class Problem:
    """An `application/problem+json` document, as far as a caller needs it."""

    status: int
    code: str
    title: str
    detail: str
    errors: tuple[Fault, ...] = ()
    request_id: str = ""

    @classmethod
    def read(cls, told: Any, *, status: int = 0) -> "Problem":
        """Whatever came, as a problem; a proxy in between may say anything."""
        found = told if isinstance(told, dict) else {}
        own = found.get("status")
        untitled = f"HTTP {status}" if status else "The service refused"
        return cls(
            status=own if isinstance(own, int) else status,
            code=str(found.get("code") or f"http-{status}"),
            title=str(found.get("title") or untitled),
            detail=str(found.get("detail") or ""),
            errors=tuple(_fault(each) for each in _list(found.get("errors"))),
            request_id=str(found.get("request_id") or ""),
        )

    def __str__(self) -> str:
        lines = [f"{self.title}: {self.detail}" if self.detail else self.title]
        # One fault is what the detail tells already.
        if len(self.errors) > 1:
            lines += [f"  {fault.pointer}: {fault.message}" for fault in self.errors]
        return "\n".join(lines)


class Refused(LlkdError):
    """The service answered with a problem; the subclasses say what to do about it."""

    def __init__(self, problem: Problem, *, retry_after: float | None = None) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.retry_after = retry_after

    @property
    def status(self) -> int:
        return self.problem.status

    @property
    def code(self) -> str:
        return self.problem.code

    @property
    def title(self) -> str:
        return self.problem.title

    @property
    def detail(self) -> str:
        return self.problem.detail

    @property
    def errors(self) -> Sequence[Fault]:
        return self.problem.errors

    @property
    def request_id(self) -> str:
        return self.problem.request_id


class Unauthorized(Refused):
    """No key, or none that the service knows (401), or one that may not do this (403)."""


class NotFound(Refused):
    """Nothing has this name (404), or what had it was deleted (410, code `gone`)."""


class Conflict(Refused):
    """It is not in a state for this (409), or no longer what you believe it is (412)."""


class InvalidRequest(Refused):
    """The request itself is wrong; `pointers` says where. Sending it again cannot help."""

    @property
    def pointers(self) -> tuple[str, ...]:
        return tuple(fault.pointer for fault in self.errors)


class Overloaded(Refused):
    """Too much at once (429), a body that came too slowly (408), or what it needs is away (503).

    `retry_after` says after how many seconds to try again, if it was told.
    """


class ServerError(Refused):
    """The service failed; `request_id` finds it in its log."""


def refusal(problem: Problem, *, status: int, retry_after: float | None) -> Refused:
    """The error of this status."""
    match status:
        case 401 | 403:
            kind: type[Refused] = Unauthorized
        case 404 | 410:
            kind = NotFound
        case 409 | 412:
            kind = Conflict
        case 408 | 429 | 503:
            kind = Overloaded
        case _ if status >= 500 or status < 400:
            kind = ServerError
        case _:
            kind = InvalidRequest
    return kind(problem, retry_after=retry_after)


def _fault(told: Any) -> Fault:
    found = told if isinstance(told, dict) else {}
    return Fault(*(str(found.get(name) or "") for name in ("pointer", "code", "message")))


def _list(told: Any) -> list[Any]:
    return told if isinstance(told, list) else []
