"""How much memory a server holds while something is done to it."""

import threading
from typing import Self

from benchmarks.memory import peak_rss
from benchmarks.process_tree import resident_bytes, tree_of

SAMPLE_EVERY_S = 0.5


class MemoryCourse:
    """Samples a server's resident bytes from a thread, between enter and exit.

    Attributes:
        samples: bytes of all its processes, twice a second; the first is from the beginning,
            the last from the end.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.samples: list[int] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._sample()

    @property
    def peak(self) -> int:
        """The most it ever held: of a single process as the kernel kept it, else as sampled."""
        tree = tree_of(self._pid)
        return peak_rss(self._pid) if len(tree) == 1 else max(self.samples)

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_EVERY_S):
            self._sample()

    def _sample(self) -> None:
        self.samples.append(resident_bytes(self._pid))
