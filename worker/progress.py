"""What a child tells of its progress: a number that grows with work done, and its detail."""

import time
from collections.abc import Callable
from typing import Any

from core.lifecycle import Stage
from worker.eta import Eta
from worker.protocol import Advanced, Json, Message

# Often enough for a live bar, seldom enough that telling costs nothing.
TELL_EVERY_S = 0.2


class Progress:
    """Counts the work of all stages in one number.

    The number is a place in the job, not an effort: a child that does lost work again
    does not grow it beyond what was reached, so a job that dies at one place each time
    is seen to make no progress. Each finished stage counts one more than its units.

    Args:
        detail: what an earlier attempt told, so that figures of finished stages stay.
    """

    def __init__(
        self, tell: Callable[[Message], None], *, detail: Json, eta: Eta | None = None
    ) -> None:
        self._tell = tell
        self._eta = eta or Eta()
        self._detail: Json = {**detail, "percent": 0.0, "eta_seconds": None}
        self._before = 0
        self._units = 1
        self._done = 0
        self._told_at = 0.0

    def skip(self, stage: Stage, *, units: int, seconds: float) -> None:
        """A stage that an earlier attempt finished."""
        self._before += units + 1
        self._eta.ended(stage, seconds=seconds)

    def enter(self, stage: Stage) -> None:
        self._units, self._done = 1, 0
        self._eta.enter(stage)
        self._detail["stage"] = stage.value
        self.tell()

    def expect(self, units: int) -> None:
        """How many units of work the stage has."""
        self._units = max(1, units)

    def note(self, name: str, fact: Any) -> None:
        """Keep a fact with the job's progress, and tell it at once: a later attempt reads it."""
        self._detail[name] = fact
        self.tell()

    def resume_at(self, done: int, *, share: float | None = None) -> None:
        self._done = done
        self._eta.resume_at(done / self._units if share is None else share)

    def advance(self, done: int, *, share: float | None = None, **facts: Any) -> None:
        """`done` units of the stage are behind us; the facts go into the detail.

        Args:
            done: units.
            share: how much of the stage that is, where units do not tell: it may end early.
            facts: what a person wants to see.
        """
        self._done = done
        self._detail.update(facts)
        self._eta.advance(done / self._units if share is None else share)
        if time.monotonic() - self._told_at >= TELL_EVERY_S:
            self.tell()

    @property
    def units(self) -> int:
        """Units that the stage has in all."""
        return self._units

    @property
    def units_done(self) -> int:
        """Units of the stage so far; stored with it, for an attempt that skips it."""
        return self._done

    def leave(self, stage: Stage, *, seconds: float) -> None:
        """The stage is stored as done."""
        self._before += self._done + 1
        self._done = 0
        self._eta.ended(stage, seconds=seconds)
        self.tell()

    def tell(self) -> None:
        self._told_at = time.monotonic()
        self._detail["percent"] = self._eta.percent()
        self._detail["eta_seconds"] = self._eta.eta_seconds()
        self._tell(Advanced(self._before + self._done, dict(self._detail)))
