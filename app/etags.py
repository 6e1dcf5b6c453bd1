"""Versions of what is told: answers not sent again, changes that overwrite nobody's."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request
from starlette.responses import Response

from core.errors import ServiceError


class PreconditionFailed(ServiceError):
    """It is no longer what If-Match or If-None-Match says; nothing was changed.

    Read it again, and repeat the change with the ETag that comes with it, if it is still wanted.
    """

    status = 412
    code = "precondition-failed"
    title = "It has changed meanwhile"


@dataclass(frozen=True)
class Preconditions:
    """What a client believes about the thing it changes.

    Attributes:
        match: the If-Match header, None without one.
        none_match: the If-None-Match header, None without one.
    """

    match: str | None
    none_match: str | None

    def check(self, content: bytes | None) -> None:
        """Refuse a change of something that is not as the client believes.

        Args:
            content: what a GET would answer now; None if there is nothing yet.

        Raises:
            PreconditionFailed: it is not so.

        Source: RFC 9110, sections 13.1.1, 13.1.2 and 13.2.2.
        """
        tag = None if content is None else tag_of(content)
        if self.match is not None and (tag is None or not _names_strongly(self.match, tag)):
            raise PreconditionFailed(f"The ETag is {tag or 'none'}, and If-Match says otherwise.")
        if self.none_match is not None and tag is not None and _names(self.none_match, tag):
            raise PreconditionFailed(f"The ETag is {tag}, and If-None-Match excludes it.")


def read_preconditions(
    request: Request,
    if_match: Annotated[
        str | None,
        Header(
            description="Change it only if this is its ETag; `*`: only if it is there.",
            examples=['"0f343b0931126a20f133d67c2b018a3b"'],
        ),
    ] = None,
    if_none_match: Annotated[
        str | None,
        Header(description="`*`: make it only if it is not there.", examples=["*"]),
    ] = None,
) -> Preconditions:
    """The two headers, each joined where it came in several lines."""
    return Preconditions(
        match=None if if_match is None else _joined(request, "if-match"),
        none_match=None if if_none_match is None else _joined(request, "if-none-match"),
    )


PreconditionsDep = Annotated[Preconditions, Depends(read_preconditions)]


def tag_of(content: bytes) -> str:
    """The strong ETag of these bytes."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def is_held(request: Request, tag: str) -> bool:
    """Whether the client says that it holds what this tag stands for: then 304 is enough."""
    return _names(_joined(request, "if-none-match"), tag)


def answer_if_changed(
    request: Request, content: bytes, *, headers: Mapping[str, str] | None = None
) -> Response:
    """The JSON, or 304 when the client holds these very bytes.

    Source: RFC 9110, sections 13.1.2 and 15.4.5.
    """
    tag = tag_of(content)
    # Stored answers must be asked about each time: a job changes by itself.
    with_tag = {"ETag": tag, "Cache-Control": "private, no-cache", **(headers or {})}
    if is_held(request, tag):
        return Response(status_code=304, headers=with_tag)
    return Response(content, media_type="application/json", headers=with_tag)


def _joined(request: Request, name: str) -> str:
    return ",".join(request.headers.getlist(name))


def _names(held: str, tag: str) -> bool:
    """Weak comparison: a proxy may have marked our tag as weak."""
    tags = {part.strip().removeprefix("W/") for part in held.split(",")}
    return "*" in tags or tag in tags


def _names_strongly(held: str, tag: str) -> bool:
    """Strong comparison: of a tag that is marked as weak nobody knows which bytes it saw."""
    tags = {part.strip() for part in held.split(",")}
    return "*" in tags or tag in tags
