"""How a child hears that it should stop: SIGTERM, at once or at the next safe place."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from worker.protocol import EXIT_RELEASED


class Released(Exception):
    """The child was asked to stop and has put down what it had: the job goes back."""


class StopRequest:
    """Whether this process was asked to stop.

    Outside `deferred` it leaves on the spot: what is not stored yet is work of seconds,
    and every stage can be run again. Inside, the work looks at `check` between two
    steps, so that paid answers and training steps are stored first.
    """

    def __init__(self) -> None:
        self._requested = False
        self._deferred = False

    def listen(self) -> None:
        """Take over SIGTERM; call from the main thread."""
        signal.signal(signal.SIGTERM, self._on_signal)

    @property
    def requested(self) -> bool:
        return self._requested

    def check(self) -> None:
        """Raise Released if the process was asked to stop."""
        if self._requested:
            raise Released

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Inside, a request waits until the work, or whoever runs it, asks for it."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def _on_signal(self, *_: Any) -> None:
        self._requested = True
        if not self._deferred:
            os._exit(EXIT_RELEASED)
