"""Files that are found in a session and read once it has ended, when they may have gone."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.orm import Session

from core.db.session import Database

F = TypeVar("F")
T = TypeVar("T")


def read_found(database: Database, find: Callable[[Session], F], read: Callable[[F], T]) -> T:
    """What `read` makes of the files that `find` names, with no transaction open meanwhile.

    If one of them went in between, they are sought again: `find` knows what was deleted, and
    says it or does without. A file that is missing still is a damaged store, and our fault.

    Raises:
        FileNotFoundError: nobody deleted it, and it is not there.
    """
    try:
        return read(_found(database, find))
    except FileNotFoundError:
        return read(_found(database, find))


def _found(database: Database, find: Callable[[Session], F]) -> F:
    with database.read() as session:
        return find(session)
