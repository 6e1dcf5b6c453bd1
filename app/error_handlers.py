"""One place that turns every error into a problem document."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from app.plain_words import in_plain_words
from app.problems import problem_response
from core.errors import ErrorItem, ServiceError, Unavailable, ValidationFailed

log = structlog.get_logger(__name__)

SHOWN_ERRORS = 20
# Names that our own validators give to what they find; they are the problem's code.
PROMOTED = frozenset({"budget-required", "duplicate-label", "model-not-allowed", "resource-limit"})


class MethodNotAllowed(ServiceError):
    """This resource exists, but not for this method; `Allow` lists those it has."""

    status = 405
    code = "method-not-allowed"
    title = "Method not allowed"


class UnknownPath(ServiceError):
    """Nothing is served at this path; `/openapi.json` lists what is."""

    status = 404
    code = "not-found"
    title = "Not found"


class MalformedRequest(ServiceError):
    """The request could not be read as HTTP or as the kind of body it announces."""

    status = 400
    code = "malformed-request"
    title = "The request could not be read"


# The handlers below are async although they wait for nothing: Starlette would send a plain `def` to
# a thread, and a refusal under overload has to be cheap.
def install(app: FastAPI) -> None:
    """Register the handlers; nothing else in the app builds an error response."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)


async def answer_error(request: Request, error: Exception) -> Response:
    """What FastAPI would answer, for those who stand in front of it."""
    handler = next(_HANDLERS[kind] for kind in type(error).__mro__ if kind in _HANDLERS)
    return await handler(request, error)


def respond(request: Request, error: ServiceError, *, code: str | None = None) -> Response:
    return problem_response(
        error,
        instance=request.url.path,
        request_id=request.scope.get("request_id", ""),
        code=code,
    )


async def _service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    return respond(request, error)


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = _without_echoes(error.errors())
    faults = [_fault(fault, error.body) for fault in found[:SHOWN_ERRORS]]
    first = faults[0]
    detail = f"{first.pointer or 'The body'}: {first.message}"
    if len(found) > 1:
        detail += f" (and {len(found) - 1} more)"
    promoted = first.code if first.code in PROMOTED else None
    return respond(request, ValidationFailed(detail, errors=faults), code=promoted)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    match error.status_code:
        case 404:
            path = request.url.path[:200]
            kind: ServiceError = UnknownPath(f"There is nothing at {path}.")
        case 405:
            headers["Allow"] = ", ".join(_methods_here(request))
            kind = MethodNotAllowed(f"{request.method} is not served here.", headers=headers)
        case _:
            kind = MalformedRequest(str(error.detail), headers=headers)
    return respond(request, kind)


def _methods_here(request: Request) -> list[str]:
    """What the request's path is served for; the router tells only its first route's methods."""
    methods: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            methods |= route.methods or set()
    return sorted(methods)


async def _database_error(request: Request, error: Exception) -> Response:
    """An unreachable or overfull database is our trouble and passes; any other fault is a bug."""
    is_bug = isinstance(error, DBAPIError) and not isinstance(
        error, (OperationalError, InterfaceError)
    )
    if is_bug and not getattr(error, "connection_invalidated", False):
        return await _unexpected(request, error)
    log.warning("database_unavailable", path=request.url.path, error=type(error).__name__)
    return respond(request, Unavailable("The database does not answer."))


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("unexpected_error", path=request.url.path, exc_info=error)
    return respond(request, ServiceError("The service failed; the request id finds it in the log."))


def _without_echoes(faults: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out lists that are too short only because pydantic does not count their bad items."""
    return [
        fault
        for fault in faults
        if fault["type"] != "too_short"
        or not any(_is_inside(other["loc"], fault["loc"]) for other in faults)
    ]


def _is_inside(place: tuple[str | int, ...], outer: tuple[str | int, ...]) -> bool:
    return len(place) > len(outer) and place[: len(outer)] == outer


def _fault(fault: dict[str, Any], body: Any) -> ErrorItem:
    place, *loc = fault["loc"] or ("body",)
    if place == "body":
        pointer = "".join(f"/{_escaped(part)}" for part in _real_parts(fault, loc, body))
    else:
        pointer = f"{place}:{'/'.join(map(str, loc))}"
    return ErrorItem(pointer=pointer, code=str(fault["type"]), message=in_plain_words(fault))


def _real_parts(fault: dict[str, Any], loc: Sequence[str | int], body: Any) -> list[str | int]:
    """The parts of pydantic's location that are in the body: it also names union members.

    What an object does not hold is such a name, but for the field that is said to be missing.
    """
    parts: list[str | int] = []
    at = body
    for place, part in enumerate(loc):
        match at:
            case dict():
                is_missing = fault["type"] == "missing" and place == len(loc) - 1
                if part not in at and not is_missing:
                    continue
                parts.append(part)
                at = at.get(part)
            case list():
                if not isinstance(part, int):
                    continue
                parts.append(part)
                at = at[part] if part < len(at) else None
            case _:
                break
    return parts


def _escaped(part: str | int) -> str:
    return str(part)[:200].replace("~", "~0").replace("/", "~1")


_HANDLERS: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    ServiceError: _service_error,
    RequestValidationError: _validation_error,
    HTTPException: _http_error,
    OperationalError: _database_error,
    InterfaceError: _database_error,
    PoolTimeout: _database_error,
    DBAPIError: _database_error,
    Exception: _unexpected,
}

__all__ = ["answer_error", "install", "respond"]
