"""JSON bodies read strictly: what the standard library lets pass quietly is refused here.

The standard parser keeps the last of two equal keys, accepts NaN, and dies on deep
nesting or very long integers. A route class reads the body this way before FastAPI
does, so that every JSON endpoint has the same edge.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from app.auth import tenant_of
from core.errors import ServiceError

MAX_DEPTH = 32
# A string swallows its own brackets; possessive, so that no input makes it backtrack.
STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[{\]}]', re.DOTALL)


class MalformedJson(ServiceError):
    """The body is not JSON as RFC 8259 defines it (NaN and Infinity are not)."""

    status = 400
    code = "malformed-json"
    title = "The body is not valid JSON"


class InvalidEncoding(ServiceError):
    """JSON travels as UTF-8, and nothing else is guessed."""

    status = 400
    code = "invalid-encoding"
    title = "The body is not UTF-8"


class JsonTooDeep(ServiceError):
    """No request of this service needs deep nesting; this one nests deeper than it allows."""

    status = 400
    code = "json-too-deep"
    title = "The body is nested too deeply"


class DuplicateKey(ServiceError):
    """An object names one key twice; which one was meant cannot be known."""

    status = 400
    code = "duplicate-key"
    title = "A key appears twice"


class UnsupportedMediaType(ServiceError):
    """The body is of a kind that this endpoint does not take."""

    status = 415
    code = "unsupported-media-type"
    title = "Unsupported media type"


class UnsupportedEncoding(ServiceError):
    """Compressed request bodies are not inflated; upload a .gz file instead."""

    status = 415
    code = "unsupported-encoding"
    title = "Unsupported content encoding"


class IncompleteBody(ServiceError):
    """The connection closed before the body was complete; nothing was kept."""

    status = 400
    code = "malformed-request"
    title = "The body is incomplete"

    def __init__(self) -> None:
        super().__init__("The connection closed before the body was complete.")


class StrictRequest(Request):
    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = parse_strictly(await self._whole_body())
        return self._json

    async def _whole_body(self) -> bytes:
        try:
            return await self.body()
        except ClientDisconnect as error:
            # Nobody reads the refusal; as one, it is no fault of the service in its log.
            raise IncompleteBody from error


class StrictRoute(APIRoute):
    """A route for known callers, whose JSON body is read strictly before FastAPI sees it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            # FastAPI reads bodies before it asks for keys; a stranger's is not worth reading.
            await tenant_of(request)
            refuse_encodings(request)
            strict = StrictRequest(request.scope, request.receive)
            if self.body_field is not None:
                refuse_other_than_json(request)
                await strict.json()
            return await handle(strict)

        return strictly


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def refuse_other_than_json(request: Request) -> None:
    """Raise UnsupportedMediaType for a body that does not call itself JSON."""
    if media_type(request) != "application/json":
        raise UnsupportedMediaType(
            "Send the body as application/json, "
            f"not as {media_type(request) or 'an unnamed type'!r}."
        )


def refuse_encodings(request: Request) -> None:
    """Raise UnsupportedEncoding for a compressed body."""
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        raise UnsupportedEncoding(f"Content-Encoding {encoding[:40]!r} is not supported.")


def parse_strictly(body: bytes) -> Any:
    """Parse a JSON document; every way in which it is not one has its own error."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidEncoding(f"Byte {error.start} is not UTF-8.") from error
    if text.startswith("\ufeff"):
        raise MalformedJson("The body begins with a byte order mark, which JSON does not have.")
    _refuse_depth(text)
    try:
        return json.loads(text, object_pairs_hook=_distinct_keys, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise MalformedJson(f"{error.msg} at line {error.lineno}, column {error.colno}.") from error
    except ValueError as error:  # an integer of thousands of digits
        raise MalformedJson("A number has too many digits.") from error


def _refuse_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for token in STRING_OR_BRACKET.finditer(text):
        match token.group():
            case "[" | "{":
                depth += 1
                if depth > MAX_DEPTH:
                    raise JsonTooDeep(f"Objects and lists may be nested {MAX_DEPTH} deep.")
            case "]" | "}":
                depth -= 1


def _distinct_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = counts.most_common(1)[0][0]
        raise DuplicateKey(f"The key {twice[:80]!r} appears twice in one object.")
    return found


def _refuse_constant(name: str) -> Any:
    raise MalformedJson(f"{name} is not a JSON number.")
