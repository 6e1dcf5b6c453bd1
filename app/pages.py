"""One page of a list, and how to ask for the next."""

from collections.abc import Sequence
from typing import Annotated, Generic, Literal, Protocol, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from core.errors import ServiceError
from core.ids import is_id

T = TypeVar("T")

LimitParam = Annotated[int, Query(ge=1, le=100, description="Entries a page.")]
AfterParam = Annotated[
    str | None,
    Query(max_length=80, description="The `last_id` of the page before."),
]


class InvalidCursor(ServiceError):
    """`after` takes the `last_id` of the page before, unchanged."""

    status = 400
    code = "invalid-cursor"
    title = "Invalid cursor"

    def __init__(self, name: str = "after") -> None:
        super().__init__(f"`{name}` is not a `last_id` that a page of this list has given.")


class Identified(Protocol):
    @property
    def id(self) -> str: ...


class Page(BaseModel, Generic[T]):
    """Entries in order, newest first for resources."""

    object: Literal["list"] = Field(default="list")
    data: Sequence[T] = Field(description="The entries.")
    has_more: bool = Field(description="Whether a next page exists.")
    first_id: str | None = Field(description="Id of the first entry, null on an empty page.")
    last_id: str | None = Field(description="Pass it as `after` for the next page.")


def check_cursor(after: str | None, *, prefix: str) -> str | None:
    """The cursor, if it has the shape of an id of this kind of resource.

    Raises:
        InvalidCursor: it cannot be one that a page has given.
    """
    if after is not None and not is_id(after, prefix=prefix):
        raise InvalidCursor
    return after


def page_of(shown: Sequence[Identified], *, has_more: bool) -> dict[str, object]:
    """The page of these entries, as `Page` tells it."""
    return {
        "object": "list",
        "data": shown,
        "has_more": has_more,
        "first_id": shown[0].id if shown else None,
        "last_id": shown[-1].id if shown else None,
    }
