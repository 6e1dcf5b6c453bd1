"""The one Celery task: somebody rang, so wake the slots. It does no work itself."""

from collections.abc import Callable

import structlog
from celery import Celery

from core.lifecycle import Queue
from core.queue import NUDGE

log = structlog.get_logger(__name__)


def register_nudge(celery: Celery, ring: Callable[[Queue], None]) -> None:
    """Make `celery` answer nudges by calling `ring`.

    A nudge may come twice, late, never, or for a queue of a newer version: none of
    these may hurt, since the slots also poll.
    """

    # Not shared: Celery would otherwise lend the task to every other app of this process.
    @celery.task(name=NUDGE, ignore_result=True, shared=False)  # type: ignore[untyped-decorator]
    def nudge(queue: str) -> None:
        try:
            ring(Queue(queue))
        except ValueError:
            log.warning("nudge_for_unknown_queue", queue=str(queue)[:40])
