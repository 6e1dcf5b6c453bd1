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
    on_pass: int
    attempt: int
    seconds: float


def parse_faults(text: str) -> tuple[Fault, ...]:
    """Read the variable.

    Raises:
        ValueError: an entry is misspelt; it must stop the test, not pass it.
    """
    return tuple(_parse(part.strip()) for part in text.split(",") if part.strip())


def _parse(entry: str) -> Fault:
    point, action, on_pass, attempt, seconds = (entry.split(":") + [""] * 4)[:5]
    try:
        fault = Fault(point, action, int(on_pass or 1), int(attempt or 1), float(seconds or 0))
    except ValueError as error:
        raise ValueError(f"FAULT {entry!r} has a number that is none") from error
    if not point or action not in ACTIONS:
        raise ValueError(f"FAULT {entry!r} needs a point and one of {', '.join(sorted(ACTIONS))}")
    return fault


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
