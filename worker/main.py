"""Starts a worker: on its own (`llkd-worker`), or inside Celery (`celery -A worker.main worker`).

Both run the same slots and the same reaper. Celery adds the bell, nothing else; its
pool only answers nudges:
`celery -A worker.main worker --pool=threads --concurrency=1 --without-gossip --without-mingle`
"""

import os
import signal
import time
from functools import cache
from typing import Any

import structlog
from celery import Celery
from celery.signals import setup_logging, worker_init, worker_shutdown, worker_shutting_down

from core.config import load_settings
from core.db.session import Database
from core.lifecycle import Queue
from core.logging import configure_logging, secrets_of
from core.queue import make_celery
from worker.nudge import register_nudge
from worker.slots import Slots

log = structlog.get_logger(__name__)
EXIT_AT_ONCE = 130
WAKE_S = 0.2


def main() -> None:
    """Run a worker that finds its jobs by polling alone, until SIGTERM or SIGINT."""
    _configure_logging()
    slots = _slots()
    signals = _Signals(slots)
    slots.start()
    signals.wait()
    slots.join()
    log.info("worker_stopped")


class _Signals:
    """The first signal drains; a second one ends the process, and its children with it."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._received = 0
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def wait(self) -> None:
        # Not an Event: its lock, held by this thread, could not be taken in the handler.
        while not self._received:
            time.sleep(WAKE_S)

    def _on_signal(self, *_: Any) -> None:
        self._received += 1
        if self._received > 1:
            # The jobs come back when their leases run out.
            os._exit(EXIT_AT_ONCE)
        self._slots.begin_drain()


@cache
def _slots() -> Slots:
    settings = load_settings()
    return Slots(Database(settings.database), settings)


def _configure_logging(**_: Any) -> None:
    configure_logging(secrets=secrets_of(load_settings()))


def _start(**_: Any) -> None:
    _slots().start()


def _begin_drain(**_: Any) -> None:
    _slots().begin_drain()


def _join(**_: Any) -> None:
    _slots().join()


def _ring(queue: Queue) -> None:
    _slots().ring(queue)


def _make_celery() -> Celery:
    url = load_settings().redis_url
    celery = make_celery(None if url is None else url.get_secret_value())
    register_nudge(celery, _ring)
    return celery


setup_logging.connect(_configure_logging, weak=False)
# Not worker_ready: that one waits for the broker, and jobs need none.
worker_init.connect(_start, weak=False)
worker_shutting_down.connect(_begin_drain, weak=False)
worker_shutdown.connect(_join, weak=False)

celery = _make_celery()

if __name__ == "__main__":
    main()
