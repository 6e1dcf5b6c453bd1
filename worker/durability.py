"""How a transaction outlives a database outage: it is tried again until the database answers."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from core.db.session import Database

log = structlog.get_logger(__name__)
Answer = TypeVar("Answer")

# What a database says, or a driver in its place, when the same request may succeed later.
OUTAGE = (OperationalError, InterfaceError, PoolTimeout)
MAX_PAUSE_S = 5.0


class Abandoned(Exception):
    """The database did not answer before the caller had to go."""


def never() -> bool:
    """Wait for the database however long it takes."""
    return False


def durably(
    database: Database,
    act: Callable[[Session], Answer],
    *,
    give_up: Callable[[], bool] = never,
) -> Answer:
    """Run `act` in one writing transaction, again after each outage.

    A connection that breaks during COMMIT leaves it open whether the commit happened,
    so `act` must be safe to repeat.

    Raises:
        Abandoned: `give_up` became true before the database answered.
    """
    pause = 0.1
    while True:
        try:
            with database.write() as session:
                return act(session)
        except OUTAGE as error:
            log.warning("database_unreachable", error=type(error).__name__)
        if give_up():
            raise Abandoned
        # Many workers must not knock in step on a database that is just coming back.
        time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
        pause = min(pause * 2, MAX_PAUSE_S)
