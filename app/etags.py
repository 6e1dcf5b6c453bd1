"""Answers that need not be sent again: ETag and If-None-Match."""

import hashlib
from collections.abc import Mapping

from fastapi import Request
from starlette.responses import Response


def answer_if_changed(
    request: Request, content: bytes, *, headers: Mapping[str, str] | None = None
) -> Response:
    """The JSON, or 304 when the client holds these very bytes.

    Source: RFC 9110, sections 13.1.2 and 15.4.5.
    """
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    # Stored answers must be asked about each time: a job changes by itself.
    with_tag = {"ETag": tag, "Cache-Control": "private, no-cache", **(headers or {})}
    held = ",".join(request.headers.getlist("if-none-match"))
    if _names(held, tag):
        return Response(status_code=304, headers=with_tag)
    return Response(content, media_type="application/json", headers=with_tag)


def _names(held: str, tag: str) -> bool:
    """Weak comparison: a proxy may have marked our tag as weak."""
    tags = {part.strip().removeprefix("W/") for part in held.split(",")}
    return "*" in tags or tag in tags
