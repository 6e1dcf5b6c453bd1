"""What a server and all its processes have used so far: CPU seconds and resident bytes."""

import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.memory import KIB, parents

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def tree_of(root: int) -> list[int]:
    """This process and all that descend from it, at this moment, parents first."""
    every = parents()
    found = [root]
    for pid in found:
        found.extend(child for child, parent in every.items() if parent == pid)
    return found


def cpu_seconds(root: int) -> float:
    """CPU seconds, user and system, of the tree's living processes; in steps of a tick."""
    return sum(_ticks(pid) for pid in tree_of(root)) / TICKS_A_SECOND


def resident_bytes(root: int) -> int:
    """Resident bytes of the tree; pages that its processes share count once a process."""
    return sum(_resident(pid) for pid in tree_of(root))


@contextmanager
def paused(roots: Sequence[int]) -> Iterator[None]:
    """Stop these processes and all their descendants until the block ends."""
    trees = [pid for root in roots for pid in tree_of(root)]
    try:
        _signal(trees, signal.SIGSTOP)
        yield
    finally:
        _signal(reversed(trees), signal.SIGCONT)


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        # It may have ended since it was found.
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def ticks_of(stat: str) -> int:
    """User and system ticks in the text of a /proc/PID/stat."""
    # The name, in parentheses, may itself hold spaces and parentheses: count from its end.
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def resident_of(status: str) -> int:
    """VmRSS in the text of a /proc/PID/status, in bytes; 0 for a process that is ending."""
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * KIB
    return 0


def _ticks(pid: int) -> int:
    text = _read(pid, "stat")
    return ticks_of(text) if text else 0


def _resident(pid: int) -> int:
    return resident_of(_read(pid, "status"))


def _read(pid: int, name: str) -> str:
    """The file's text; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
