"""Which kind of answer a client takes: the Accept header."""

from fastapi import Request

from core.errors import ServiceError

JSON = "application/json"
EVENT_STREAM = "text/event-stream"
CSV = "text/csv"
JSON_LINES = "application/jsonl"
PARQUET = "application/vnd.apache.parquet"
TAR = "application/x-tar"
SERVED = (JSON, EVENT_STREAM, CSV, JSON_LINES, PARQUET, TAR, "application/problem+json")


class NotAcceptable(ServiceError):
    """The Accept header takes nothing that this address can answer with."""

    status = 406
    code = "not-acceptable"
    title = "Not acceptable"

    def __init__(self, offered: tuple[str, ...]) -> None:
        super().__init__(f"This address answers with {', '.join(offered)}.")


def best_match(accept: str, offered: tuple[str, ...]) -> str | None:
    """The offered type that the header likes best, the first one among equals.

    An empty header takes anything; a malformed part of one is passed over.

    Source: RFC 9110, section 12.5.1.
    """
    if not accept.strip():
        return offered[0]
    ranges = [parsed for part in accept.split(",") if (parsed := _parse(part)) is not None]
    liked = {kind: _quality(kind, ranges) for kind in offered}
    best = max(offered, key=lambda kind: liked[kind])
    return best if liked[best] > 0 else None


def negotiate(request: Request, offered: tuple[str, ...]) -> str:
    """`best_match` of a request.

    Raises:
        NotAcceptable: nothing offered is taken.
    """
    accept = ", ".join(request.headers.getlist("accept"))
    chosen = best_match(accept, offered)
    if chosen is None:
        raise NotAcceptable(offered)
    return chosen


async def require_acceptable(request: Request) -> None:
    """Refuse, at every address, a client that takes nothing this service ever answers with."""
    # What nearly every client sends is worth no reading.
    if request.headers.get("accept", "*/*") not in ("*/*", JSON):
        negotiate(request, SERVED)


def _parse(part: str) -> tuple[str, float] | None:
    kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                quality = min(1.0, max(0.0, float(value)))
            except ValueError:
                return None
    return (kind, quality) if "/" in kind else None


def _quality(kind: str, ranges: list[tuple[str, float]]) -> float:
    """The quality of the most specific range that covers the type, 0 without one."""
    family = kind.partition("/")[0]
    for wanted in (kind, f"{family}/*", "*/*"):
        found = [quality for name, quality in ranges if name == wanted]
        if found:
            return max(found)
    return 0.0


__all__ = [
    "CSV",
    "EVENT_STREAM",
    "JSON",
    "JSON_LINES",
    "PARQUET",
    "TAR",
    "NotAcceptable",
    "best_match",
    "negotiate",
    "require_acceptable",
]
