"""What all shapes have in common."""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

Json = dict[str, Any]
T = TypeVar("T")


class Shape(BaseModel):
    """Frozen; a field that a newer service tells is kept as it came."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())


class Page(Shape, Generic[T]):
    """A part of a list; the next one comes after `last_id`."""

    data: list[T]
    has_more: bool
    first_id: str | None = None
    last_id: str | None = None
