"""One page of a list, and how to ask for the next."""

from collections.abc import Sequence
from typing import Annotated, Generic, Literal, Protocol, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

T = TypeVar("T")

LimitParam = Annotated[int, Query(ge=1, le=100, description="Entries a page.")]
AfterParam = Annotated[
    str | None,
    Query(max_length=80, description="The `last_id` of the page before."),
]


class Identified(Protocol):
    @property
    def id(self) -> str: ...


class Page(BaseModel, Generic[T]):
    """Entries in order, newest first for resources."""

    object: Literal["list"] = Field(default="list")
    data: Sequence[T]
    has_more: bool = Field(description="Whether a next page exists.")
    first_id: str | None = Field(description="Id of the first entry, null on an empty page.")
    last_id: str | None = Field(description="Pass it as `after` for the next page.")


def page_of(rows: Sequence[Identified], limit: int) -> dict[str, object]:
    """The page of up to `limit` of these rows, which were asked for with one more."""
    shown = rows[:limit]
    return {
        "object": "list",
        "data": shown,
        "has_more": len(rows) > limit,
        "first_id": shown[0].id if shown else None,
        "last_id": shown[-1].id if shown else None,
    }
