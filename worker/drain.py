"""How everything in this worker learns that it has to come to an end."""

import threading
import time


class Drain:
    """Set once, by the first signal; slots stop claiming and supervisors hand their jobs over."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._since = 0.0

    def begin(self) -> None:
        self._since = self._since or time.monotonic()
        self._event.set()

    def is_set(self) -> bool:
        return self._event.is_set()

    def lasted(self, seconds: float) -> bool:
        """Whether it began at least this long ago."""
        return self.is_set() and time.monotonic() - self._since >= seconds

    def wait(self, seconds: float) -> bool:
        """Sleep, or less when the end comes first; returns whether it came."""
        return self._event.wait(seconds)
