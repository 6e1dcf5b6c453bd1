"""When a teacher is left alone for a while: nobody answers, or no call can succeed."""

from dataclasses import dataclass, field
from typing import Literal

from core.calling.failures import Failure, FailureKind
from core.calling.outcomes import Effort

ParkCode = Literal["teacher-unavailable", "teacher-auth", "teacher-quota"]
Reason = tuple[ParkCode, str, float]  # code, detail, seconds to stay away

UNAVAILABLE_S = 300.0
# A key or an account is mended by a person.
AUTH_S = 900.0
QUOTA_S = 3600.0
# A job that was parked for a day fails, so no server may ask for more.
MOST_PARKED_S = 86_400.0


class Park(Exception):
    """The teacher is to be left alone: a job goes back into its queue, and keeps its answers.

    Attributes:
        code: what is wrong, for programs.
        detail: for a person; made of our own words and figures, never of the server's.
        after_s: seconds after which it may be asked again.
        effort: what this call had cost before.
    """

    def __init__(self, code: ParkCode, detail: str, *, after_s: float) -> None:
        super().__init__(f"{code}: {detail}")
        self.code: ParkCode = code
        self.detail = detail
        self.after_s = after_s
        self.effort = Effort()


@dataclass
class Breaker:
    """Counts what fails; once it parks, it stays so, and the first reason stands.

    Attributes:
        most_failures: attempts failed in a row.
        quiet_s: seconds without a success. They begin with the last one, or later, with the
            start of the first attempt that failed since: a time in which nobody asked
            is no outage.
        longest_wait_s: what a server may ask for without being left alone.
        stay_away_s: how long a server that does not answer is left alone at the least.
    """

    most_failures: int
    quiet_s: float
    longest_wait_s: float
    stay_away_s: float = UNAVAILABLE_S
    _failures: int = field(default=0, init=False)
    _succeeded_at: float = field(default=float("-inf"), init=False)
    _failing_since: float | None = field(default=None, init=False)
    _parked: Reason | None = field(default=None, init=False)

    @property
    def is_parked(self) -> bool:
        return self._parked is not None

    def check(self) -> None:
        """Pass, unless it has parked.

        Raises:
            Park: it has.
        """
        if self._parked is not None:
            code, detail, after_s = self._parked
            raise Park(code, detail, after_s=after_s)

    def succeed(self, *, now: float) -> None:
        """The server answered a request, be it by refusing it for a reason."""
        self._failures = 0
        self._succeeded_at = now
        self._failing_since = None

    def fail(self, failure: Failure, *, began_at: float, now: float) -> None:
        """An attempt failed that began at `began_at`; both times in seconds of one clock."""
        self._failures += 1
        if self._failing_since is None:
            self._failing_since = max(began_at, self._succeeded_at)
        if self._parked is None:
            self._parked = self._reason(failure, failing_s=now - self._failing_since)

    def _reason(self, failure: Failure, *, failing_s: float) -> Reason | None:
        asked_s = min(MOST_PARKED_S, failure.wait_s or 0.0)
        if (reason := _of_no_use(failure, asked_s=asked_s)) is not None:
            return reason
        if asked_s > self.longest_wait_s:
            told = f"The teacher's server asks to wait {asked_s:.0f} s."
            return "teacher-unavailable", told, asked_s
        last = f"the last one: {failure.kind}, status {failure.status or 'none'}"
        if self._failures >= self.most_failures:
            told = f"{self._failures} attempts failed in a row; {last}."
        elif failing_s >= self.quiet_s:
            told = f"No attempt succeeded for {failing_s:.0f} s; {last}."
        else:
            return None
        return "teacher-unavailable", told, max(self.stay_away_s, asked_s)


def _of_no_use(failure: Failure, *, asked_s: float) -> Reason | None:
    """Why no other call can succeed either, until a person has mended something."""
    if failure.kind is FailureKind.AUTH:
        told = f"The teacher's server refused the key (status {failure.status})."
        return "teacher-auth", told, max(AUTH_S, asked_s)
    if failure.kind is FailureKind.QUOTA:
        told = f"The teacher's account has nothing left (status {failure.status})."
        return "teacher-quota", told, max(QUOTA_S, asked_s)
    return None
