"""How the calls to one server go, for a log."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from core.calling.failures import Failure
from core.calling.outcomes import Answered, Called


@dataclass(frozen=True)
class CallFigures:
    """Counts since the start, and where the limit stands now.

    Attributes:
        requests: begun, each counted once.
        attempts: replied to or failed; one still in flight is not among them.
        retries: attempts that were granted after a failed one.
        outcomes: ended requests by `answered` or `WhyNot`.
        failures: failed attempts by `FailureKind`.
        concurrency: calls that may be in flight at once.
    """

    requests: int
    attempts: int
    retries: int
    outcomes: Mapping[str, int]
    failures: Mapping[str, int]
    concurrency: int
    in_flight: int

    @property
    def retry_share(self) -> float:
        """Retries over requests; 0 before the first."""
        return self.retries / self.requests if self.requests else 0.0


class CallTally:
    """Counts while the calls are made."""

    def __init__(self) -> None:
        self.requests = 0
        self.attempts = 0
        self.retries = 0
        self._outcomes: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()

    def add_failure(self, failure: Failure) -> None:
        self._failures[failure.kind.value] += 1

    def add_outcome(self, called: Called) -> None:
        result = called.result
        name = "answered" if isinstance(result, Answered) else result.why.value
        self._outcomes[name] += 1

    def figures(self, *, concurrency: int, in_flight: int) -> CallFigures:
        return CallFigures(
            requests=self.requests,
            attempts=self.attempts,
            retries=self.retries,
            outcomes=dict(self._outcomes),
            failures=dict(self._failures),
            concurrency=concurrency,
            in_flight=in_flight,
        )
