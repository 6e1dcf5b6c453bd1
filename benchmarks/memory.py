"""How much memory the service's processes take at their worst."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

SAMPLE_EVERY_S = 0.2
KIB = 1024


class PeakMemory:
    """Watches processes and their children from a thread, between enter and exit.

    The kernel keeps each process's own peak (VmHWM), so a sample misses only what a
    process gains in its last instants.
    """

    def __init__(self, pids: Mapping[str, int], *, children_of: str) -> None:
        """Watch `pids` by name, and the children of one of them under the name "child"."""
        self._pids = dict(pids)
        self._parent = pids[children_of]
        self._peaks = dict.fromkeys([*pids, "child"], 0)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def peaks(self) -> dict[str, int]:
        """Bytes by name; the largest of the children for "child"."""
        return dict(self._peaks)

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_EVERY_S):
            for name, pid in self._pids.items():
                self._note(name, pid)
            for pid in children_of(self._parent):
                self._note("child", pid)

    def _note(self, name: str, pid: int) -> None:
        self._peaks[name] = max(self._peaks[name], peak_rss(pid))


def peak_rss(pid: int) -> int:
    """The most resident bytes this process ever had; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * KIB
    return 0


def children_of(parent: int) -> list[int]:
    """Process ids whose parent this is, at this moment."""
    return [pid for pid, its_parent in parents().items() if its_parent == parent]


def parents() -> dict[int, int]:
    """Every process's id to its parent's, at this moment."""
    entries = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    found = {int(entry.name): _parent(entry) for entry in entries}
    return {pid: parent for pid, parent in found.items() if parent is not None}


def _parent(entry: Path) -> int | None:
    try:
        stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name, in parentheses, may itself hold spaces and parentheses: count from its end.
    return int(stat.rpartition(")")[2].split()[1])
