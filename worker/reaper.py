"""Takes back the jobs and shards of silent workers: in every worker process, without a leader."""

import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from core.db.repositories.claims import Reaped
from core.db.repositories.engine import EngineRepository
from core.db.repositories.shards import ShardRepository
from core.db.session import Database
from worker.drain import Drain
from worker.durability import OUTAGE

log = structlog.get_logger(__name__)


class Reaper:
    """Reaps on every tick, but not on the first ones after an outage.

    When a database comes back, or this process wakes from a long pause, the leases of
    the living have run out too. They renew at their next heartbeat, so for one lease
    nobody is taken for dead.

    Args:
        settle: how long a fresh process waits before its first reaping: a heartbeat,
            since it cannot know whether the database was away just before.
    """

    def __init__(
        self,
        database: Database,
        *,
        lease: timedelta,
        settle: timedelta,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._lease_s = lease.total_seconds()
        self._clock = clock
        self._answered_at = clock()
        self._hold_until = self._answered_at + settle.total_seconds()

    def tick(self) -> list[Reaped]:
        """Reap jobs, and then shards, unless others must be given time to renew first.

        Raises:
            sqlalchemy.exc.OperationalError: the database does not answer.
        """
        with self._database.read() as session:
            session.connection()
        now = self._clock()
        if now - self._answered_at > self._lease_s:
            self._hold_until = now + self._lease_s
            log.warning("reaping_suspended", seconds=self._lease_s)
        self._answered_at = now
        if now < self._hold_until:
            return []
        with self._database.write() as session:
            reaped = EngineRepository(session).reap()
        # On its own: a transaction that holds many jobs' rows waits for no single one.
        with self._database.write() as session:
            for shard in ShardRepository(session).reap():
                log.warning(
                    "shard_reaped", job_id=shard.job_id, shard=shard.shard, crashes=shard.crashes
                )
        return reaped

    def run(self, drain: Drain, *, every_s: float) -> None:
        """Tick until the worker comes to its end."""
        while not drain.wait(every_s):
            try:
                reaped = self.tick()
            except OUTAGE as error:
                log.warning("reaper_missed", error=type(error).__name__)
                continue
            for job in reaped:
                log.warning(
                    "job_reaped", job_id=job.job_id, state=job.state.value, crashes=job.crashes
                )
