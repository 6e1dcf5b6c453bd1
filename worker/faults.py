"""Where a test can make this process fail, at a named point and a chosen pass.

`FAULT="point:action[:pass[:attempt[:seconds]]]"`, several joined by commas, is read only
when TESTING=1. The pass counts from 1; an attempt of 0 means every attempt. Faults name
the attempt so that one job can be killed at another place in each of its attempts.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

ACTIONS = frozenset({"kill", "stop", "raise", "sleep", "exit"})


class InjectedFault(Exception):
    """What a test asked for."""


@dataclass(frozen=True)
class Fault:
    point: str
    action: str
    on_pass: int = 1
    attempt: int = 1
    seconds: float = 0.0


def parse_faults(text: str) -> tuple[Fault, ...]:
    """Read the variable; a misspelt fault must stop the test, not pass it."""
    found = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        point, action, *rest = entry.split(":")
        if action not in ACTIONS:
            raise ValueError(f"unknown action {action!r} in FAULT {entry!r}")
        on_pass = int(rest[0]) if rest else 1
        attempt = int(rest[1]) if len(rest) > 1 else 1
        found.append(Fault(point, action, on_pass, attempt, float(rest[2] if rest[2:] else 0)))
    return tuple(found)


class FaultPoints:
    """The faults of one process working on one attempt."""

    def __init__(self, environment: Mapping[str, str], *, attempt: int) -> None:
        testing = environment.get("TESTING") == "1"
        faults = parse_faults(environment.get("FAULT", "")) if testing else ()
        self._faults = [fault for fault in faults if fault.attempt in (0, attempt)]
        self._passes: Counter[str] = Counter()

    def reach(self, point: str) -> None:
        """Say that this point was reached; returns unless a test wants it to fail here."""
        if not self._faults:
            return
        self._passes[point] += 1
        for fault in self._faults:
            if fault.point == point and fault.on_pass == self._passes[point]:
                _happen(fault)


def _happen(fault: Fault) -> None:
    match fault.action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "sleep":
            time.sleep(fault.seconds)
        case "exit":
            os._exit(3)
        case _:
            raise InjectedFault(fault.point)
