"""Where a child writes about its job: every entry is fenced, so a ghost writes nothing."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from core.db.repositories.engine import Claim, EngineRepository
from core.db.repositories.events import EventRepository
from core.db.repositories.stages import StageRepository
from core.db.session import Database
from core.ids import JobId
from core.lifecycle import EventType, Stage
from core.prices import MICROS
from worker.durability import durably
from worker.protocol import Json

Answer = TypeVar("Answer")

# A job of hours keeps about two hundred figures a kind in its log, whatever its speed:
# the pause between two doubles after each half of them.
EVENTS_BEFORE_SLOWER = 50
FIRST_PAUSE_S = 1.0


class JobBook:
    """One attempt's entries: which stages are done, and what happened meanwhile."""

    def __init__(self, database: Database, claim: Claim) -> None:
        self._database = database
        self._claim = claim
        self._stage = Stage.LABEL
        self._paces: dict[EventType, _Pace] = {}
        self._told: set[EventType] = set()

    def outputs(self) -> Mapping[Stage, Json]:
        """What the finished stages left."""
        rows = durably(
            self._database, lambda session: StageRepository(session).get(self._claim.job_id)
        )
        return {stage: row.output for stage, row in rows.items()}

    def begin(self, stage: Stage) -> datetime:
        """Name the stage in the job's row; returns when, for `finish`."""
        self._stage = stage
        self.tell(EventType.STAGE_STARTED, stage=stage.value, attempt=self._claim.attempt)
        return datetime.now(UTC)

    def finish(self, stage: Stage, output: Json, *, started_at: datetime) -> None:
        """Store what the stage left: from here on no attempt runs it again."""
        durably(
            self._database,
            lambda session: StageRepository(session).done(
                self._claim, stage, output=output, started_at=started_at
            ),
        )

    def tell(self, event: EventType, **about: Any) -> None:
        """Write one event.

        Raises:
            GhostWorker: the job is another attempt's.
        """
        self.write(lambda session, job_id: EventRepository(session).append(job_id, event, about))

    def tell_once(self, event: EventType, **about: Any) -> None:
        """Write an event unless the job has one of its type, of whichever attempt."""
        if event in self._told:
            return

        def tell(session: Session, job_id: JobId) -> None:
            events = EventRepository(session)
            if events.latest(job_id, event) is None:
                events.append(job_id, event, about)

        self.write(tell)
        self._told.add(event)

    def tell_answers(self, counts: Mapping[str, int]) -> None:
        """Write how many answers there are of each kind, and what the job has spent by now."""

        def tell(session: Session, job_id: JobId) -> None:
            spent = EngineRepository(session).spent_micros(self._claim)
            about: dict[str, Any] = {**counts, "cost_usd": spent / MICROS}
            EventRepository(session).append(job_id, EventType.TEACHER_PROGRESS, about)

        self.write(tell)

    def tell_answers_sometimes(self, counts: Mapping[str, int]) -> None:
        """The same at the pace of `tell_sometimes`."""
        if self._is_due(EventType.TEACHER_PROGRESS):
            self.tell_answers(counts)

    def tell_sometimes(self, event: EventType, **about: Any) -> None:
        """Write an event that comes all the time: often at first, then ever more seldom."""
        if self._is_due(event):
            self.tell(event, **about)

    def write(self, act: Callable[[Session, JobId], Answer]) -> Answer:
        """Write about the job in one transaction, which may be repeated.

        Raises:
            GhostWorker: the job is another attempt's.
        """

        def fenced(session: Session) -> Answer:
            EngineRepository(session).fence(self._claim, stage=self._stage.value)
            return act(session, self._claim.job_id)

        return durably(self._database, fenced)

    def _is_due(self, event: EventType) -> bool:
        return self._paces.setdefault(event, _Pace()).is_due()


class _Pace:
    def __init__(self) -> None:
        self._count = 0
        self._pause_s = FIRST_PAUSE_S
        self._last = -FIRST_PAUSE_S

    def is_due(self) -> bool:
        now = time.monotonic()
        if now - self._last < self._pause_s:
            return False
        self._last = now
        self._count += 1
        if self._count % EVENTS_BEFORE_SLOWER == 0:
            self._pause_s *= 2
        return True
