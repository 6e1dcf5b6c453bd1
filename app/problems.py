"""How a refusal looks: an RFC 9457 problem document, and the page behind its type."""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import orjson
from starlette.responses import Response

from core.errors import ErrorItem, ServiceError

MEDIA_TYPE = "application/problem+json"


def problem_response(
    error: ServiceError, *, instance: str, request_id: str, code: str | None = None
) -> Response:
    """The answer to a refused request.

    Args:
        instance: path of the request.
        code: overrides the error's own, for faults that pydantic found under a name of ours.
    """
    slug = code or error.code
    body = {
        "type": f"/problems/{slug}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": instance,
        "code": slug,
        "request_id": request_id,
        "errors": items(error.errors),
    }
    return Response(
        orjson.dumps(body), status_code=error.status, media_type=MEDIA_TYPE, headers=error.headers
    )


def items(errors: Sequence[ErrorItem]) -> list[dict[str, str]]:
    return [{key: _printable(value) for key, value in asdict(error).items()} for error in errors]


def find_problem(code: str) -> type[ServiceError] | None:
    """The class that raises this code, for the page that its `type` leads to."""
    return next((kind for kind in _kinds(ServiceError) if kind.code == code), None)


def describe(kind: type[ServiceError]) -> str:
    """One plain-text page about a kind of problem."""
    story = inspect.cleandoc(kind.__doc__ or "")
    return f"{kind.title} (HTTP {kind.status}, code {kind.code})\n\n{story}\n"


def _kinds(root: type[ServiceError]) -> Iterator[type[ServiceError]]:
    yield root
    for kind in root.__subclasses__():
        yield from _kinds(kind)


def _printable(value: str) -> str:
    """A lone surrogate in what the client sent must not break the answer that names it."""
    return value.encode("utf-8", "replace").decode()
