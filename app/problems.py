"""How a refusal looks: an RFC 9457 problem document, and the page behind its type."""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import orjson
from starlette.responses import Response

from core.errors import ErrorItem, ServiceError

MEDIA_TYPE = "application/problem+json"


def _text(description: str, example: str) -> dict[str, object]:
    return {"type": "string", "description": description, "examples": [example]}


# RFC 9457, and four members of our own.
SCHEMA = {
    "type": "object",
    "title": "Problem",
    "required": ["type", "title", "status", "detail", "instance", "code", "request_id", "errors"],
    "properties": {
        "type": _text("A page of this service that explains the code.", "/problems/not-found"),
        "title": _text("The kind of problem, for a person.", "Not found"),
        "status": {"type": "integer", "description": "As in the answer.", "examples": [404]},
        "detail": _text("What is wrong here, with the values.", "There is no job named 'x'."),
        "instance": _text("Path of the request.", "/jobs/x"),
        "code": _text("Stable, machine-readable.", "not-found"),
        "request_id": _text("Finds the request in the log.", "req_01JZ8PW3N6C4Q0G7H2K5M9R1TB"),
        "errors": {
            "type": "array",
            "description": "Single faults, where they can be told apart.",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "message"],
                "properties": {
                    "pointer": _text("JSON pointer into the body, or a place.", "/labels/0/name"),
                    "code": _text("Stable, machine-readable.", "string_too_long"),
                    "message": _text("For a person.", "String should have at most 100 characters"),
                },
            },
        },
    },
}
# What every operation may also answer, in the shape that FastAPI's `responses` takes.
RESPONSES: dict[int | str, dict[str, object]] = {
    "default": {
        "description": "A problem, as RFC 9457 tells them.",
        "content": {MEDIA_TYPE: {"schema": SCHEMA}},
    }
}


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


def read_page(code: str) -> str | None:
    """What the problems of this code are, for the page that their `type` leads to.

    One code may have several stories: bytes that are not text are another matter in a
    JSON body than in a file.
    """
    told = dict.fromkeys(describe(kind) for kind in _kinds(ServiceError) if kind.code == code)
    return "\n".join(told) or None


def describe(kind: type[ServiceError]) -> str:
    """A kind of problem in a few lines of plain text."""
    story = inspect.cleandoc(kind.__doc__ or "")
    return f"{kind.title} (HTTP {kind.status}, code {kind.code})\n\n{story}\n"


def _kinds(root: type[ServiceError]) -> Iterator[type[ServiceError]]:
    yield root
    for kind in root.__subclasses__():
        yield from _kinds(kind)


def _printable(value: str) -> str:
    """A lone surrogate in what the client sent must not break the answer that names it."""
    return value.encode("utf-8", "replace").decode()
