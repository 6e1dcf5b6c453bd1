"""Whether a failed request is tried again, and when: the one layer of retries."""

from collections.abc import Callable

from core.calling.failures import Failure

# As many as the failures in a row that park a job: a server that dies after a good spell
# parks it before a request is given up for want of retries.
ALLOWANCE = 20
FIRST_WAIT_S = 1.0
MOST_WAIT_S = 30.0


class Retries:
    """At most `attempts` a request, and of all requests together no more than a budget.

    The budget is a purse: it holds `ALLOWANCE` retries to begin with and never more, every
    request puts `share` in, and every retry takes 1 out, if it is there. So however the
    attempts fail, retries <= share * requests + ALLOWANCE, and a long good spell
    saves up nothing that a bad one could turn into a storm.

    Source: Beyer et al., Site Reliability Engineering (2016), chapter 21, for both limits.
    """

    def __init__(self, *, attempts: int, share: float, random: Callable[[], float]) -> None:
        self._attempts = attempts
        self._share = share
        self._random = random
        self._purse = float(ALLOWANCE)

    def earn(self) -> None:
        """A request was made for the first time; not when it was asked for: it may wait long."""
        self._purse = min(float(ALLOWANCE), self._purse + self._share)

    def take(self, failure: Failure, *, attempts: int) -> float | None:
        """Seconds to wait before the next attempt, or None if there is none to be.

        Args:
            attempts: made of this request so far, the failed one included.
        """
        if not failure.is_retryable or attempts >= self._attempts or self._purse < 1:
            return None
        self._purse -= 1
        return max(failure.wait_s or 0.0, self._jitter_s(attempts))

    def _jitter_s(self, attempts: int) -> float:
        """Anywhere up to a bound that doubles: requests that failed together part again."""
        return self._random() * min(MOST_WAIT_S, FIRST_WAIT_S * 2.0 ** (attempts - 1))
