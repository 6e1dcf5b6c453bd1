"""A page of events, and the number that asks for the next."""

import orjson
from starlette.responses import Response

from app.jobs.event_stream import News
from app.pages import InvalidCursor

# The largest number that PostgreSQL's bigint holds.
MAX_SEQ = 2**63 - 1


def read_cursor(after: str | None, last_event_id: str | None) -> int:
    """The number of the last event that the client has; 0 when it has none.

    A stream that reconnects says it in a header, which counts before the query.

    Raises:
        InvalidCursor: it is no event's id.
    """
    name, value = ("Last-Event-ID", last_event_id) if last_event_id else ("after", after)
    if value is None:
        return 0
    if not (value.isascii() and value.isdigit()) or int(value) > MAX_SEQ:
        raise InvalidCursor(name)
    return int(value)


def page(news: News, limit: int) -> Response:
    """The first `limit` of these events, which were asked for with one more."""
    shown = [event.model_dump(mode="json") for event in news.events[:limit]]
    body = {
        "object": "list",
        "data": shown,
        "has_more": len(news.events) > limit,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
    }
    return Response(orjson.dumps(body), media_type="application/json")
