"""How lists are cut: newest first, the next page after the last id of this one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import Session

Item = TypeVar("Item")


@dataclass(frozen=True)
class Page(Generic[Item]):
    """Some rows of a list, and whether more follow."""

    rows: Sequence[Item]
    has_more: bool


def read_page(session: Session, question: Select[Item], *, limit: int) -> Page[Item]:
    """Ask for one row more than wanted: its presence says that there is another page."""
    rows = session.scalars(question.limit(limit + 1)).all()
    return Page(rows=rows[:limit], has_more=len(rows) > limit)
