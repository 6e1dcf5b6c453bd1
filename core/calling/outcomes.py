"""What a call comes to: the answer of the server, or why there is none, and at what cost."""

from dataclasses import dataclass, replace
from enum import StrEnum

from core.calling.failures import Failure, FailureKind
from core.calling.replies import JsonObject


@dataclass(frozen=True, slots=True)
class Effort:
    """What a call has cost.

    Attributes:
        attempts: posts made, the answered one included.
        timeouts: of these, those that ran out of time, here or at a gateway.
        maybe_billed: of these, all that the server may charge for although no answer came:
            the timeouts, and replies that broke off or could not be read. Whoever keeps
            a budget settles them at the estimate.
    """

    attempts: int = 0
    timeouts: int = 0
    maybe_billed: int = 0

    def after(self, failure: Failure | None) -> "Effort":
        """With one attempt more, which failed so or was answered."""
        if failure is None:
            return replace(self, attempts=self.attempts + 1)
        return Effort(
            self.attempts + 1,
            self.timeouts + (failure.kind is FailureKind.TIMEOUT),
            self.maybe_billed + failure.maybe_billed,
        )


class WhyNot(StrEnum):
    """Why a request has no answer.

    The first two lie in the request: made again, it fails again. The third lies with the
    server: the request is as good as never made.
    """

    REFUSED_BY_SERVER = "refused_by_server"
    PERMANENT = "permanent"
    GAVE_UP = "gave_up"


@dataclass(frozen=True, slots=True)
class Answered:
    """A JSON object that came with status 200. It may hold NaN and infinities."""

    body: JsonObject


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No answer, for this reason; `failure` is that of the last attempt."""

    why: WhyNot
    failure: Failure


@dataclass(frozen=True, slots=True)
class Called:
    """One request, after all its attempts."""

    result: Answered | Unanswered
    effort: Effort

    @property
    def attempts(self) -> int:
        return self.effort.attempts

    @property
    def timeouts(self) -> int:
        return self.effort.timeouts


def why_of_request(failure: Failure) -> WhyNot | None:
    """Why the request itself is at fault, or None where it is not."""
    if failure.kind is FailureKind.REFUSED:
        return WhyNot.REFUSED_BY_SERVER
    if failure.kind in {FailureKind.NON_FINITE, FailureKind.TOO_LARGE}:
        return WhyNot.PERMANENT
    return None
