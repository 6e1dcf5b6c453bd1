"""The doorbell: tells workers that there may be work. Losing a ring loses nothing."""

from typing import Protocol

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from prometheus_client import Counter

from core.config import Settings
from core.lifecycle import Queue

log = structlog.get_logger(__name__)

NUDGE = "nudge"
UNHEARD = Counter(
    "llkd_nudges_unheard", "Nudges that the broker did not take; polling finds the job"
)


class Bell(Protocol):
    def ring(self, queue: Queue) -> None:
        """Say that this queue has work. Never raises: the workers also poll."""
        ...


class SilentBell:
    """The embedded bell: workers poll, nobody is told."""

    def ring(self, queue: Queue) -> None:
        return


class CeleryBell:
    """One short-lived Celery message over Redis."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery

    def ring(self, queue: Queue) -> None:
        try:
            self._celery.send_task(
                NUDGE, args=[queue.value], expires=60, ignore_result=True, retry=False
            )
        except (OperationalError, OSError) as error:
            UNHEARD.inc()
            log.warning("nudge_unheard", queue=queue.value, error=type(error).__name__)


def make_celery(redis_url: str | None) -> Celery:
    """The Celery app that API and worker share, tuned so that a message is only a doorbell.

    Early acknowledgement, no results, short socket timeouts: a lost or repeated
    message costs nothing, a hung broker must not hang a request.
    """
    celery = Celery("llkd", broker=redis_url or "memory://")
    celery.conf.update(
        task_acks_late=False,
        task_ignore_result=True,
        result_backend=None,
        worker_prefetch_multiplier=1,
        accept_content=["json"],
        task_serializer="json",
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": 300,
            "socket_timeout": 5,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "retry_on_timeout": True,
        },
    )
    return celery


def make_bell(settings: Settings) -> Bell:
    if settings.redis_url is None:
        return SilentBell()
    return CeleryBell(make_celery(settings.redis_url.get_secret_value()))
