"""What is asked of the service, before anything is sent."""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote
from uuid import uuid4

from llkd_client.errors import BadName

Json = dict[str, Any]
# Bytes sent so far, and bytes there are.
OnBytes = Callable[[int, int], None]
IDEMPOTENCY_KEY = "Idempotency-Key"


class Repeat(Enum):
    """When a request may be sent again.

    ALWAYS: the same request twice does what one does. IF_REFUSED: twice might spend twice, but
    408, 429 and 503 say that nothing was done. NEVER: only if it cannot have arrived.
    """

    ALWAYS = "always"
    IF_REFUSED = "if refused"
    NEVER = "never"


# An upload is answered when its rows are validated and stored: minutes for a large file.
UPLOAD_SILENCE_SECONDS = 600.0


@dataclass(frozen=True)
class FilePart:
    """A file of a form, opened anew each time it is sent."""

    name: str
    open: Callable[[], BinaryIO]


@dataclass(frozen=True)
class Form:
    """A multipart body: files by part, text fields, and who is told of progress."""

    files: Mapping[str, FilePart]
    fields: Mapping[str, str]
    on_bytes: OnBytes | None = None


@dataclass(frozen=True)
class Request:
    """One request. Its body stays out of `repr`: texts belong in no log.

    Attributes:
        silence_seconds: how long nothing may come before its connection counts as lost; None for
            what the client was made with.
        most_seconds: it is never longer than this.
    """

    method: str
    path: str
    query: Mapping[str, str | int | bool] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = field(default=None, repr=False)
    form: Form | None = field(default=None, repr=False)
    repeat: Repeat = Repeat.ALWAYS
    silence_seconds: float | None = None
    most_seconds: float = math.inf


def path_of(*parts: str) -> str:
    """A path of these parts, each escaped: a name with a slash stays one part.

    Raises:
        BadName: a part is empty, or one that an address would swallow.
    """
    for part in parts:
        if part in ("", ".", ".."):
            raise BadName(f"{part!r} names nothing.")
    return "".join(f"/{quote(part, safe='@')}" for part in parts)


def creating(
    path: str, body: object = None, *, key: str | None, form: Form | None = None
) -> Request:
    """A POST that makes or spends something, with a key that keeps a repeat from doing so twice."""
    return Request(
        "POST",
        path,
        body=body,
        form=form,
        headers={IDEMPOTENCY_KEY: key or uuid4().hex},
        silence_seconds=None if form is None else UPLOAD_SILENCE_SECONDS,
    )


def given(**fields: Any) -> Json:
    """The fields that were given: those that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def refuse_one_string(texts: object) -> None:
    """Raises TypeError: a string is an iterable of strings, and nobody means its characters."""
    if isinstance(texts, str | bytes):
        raise TypeError("texts are a list of them, not one string")


def file_part(path: Path) -> FilePart:
    return FilePart(path.name, lambda: path.open("rb"))


def lines_part(rows: Iterable[Mapping[str, Any]], *, name: str) -> FilePart:
    """Rows as a file of JSON lines, held in memory."""
    content = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    return FilePart(name, lambda: BytesIO(content))
