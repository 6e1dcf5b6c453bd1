"""How many requests and tokens go out a minute: two buckets, honoured together, in order."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from core.calling.headers import told_limit, told_rest

Rest = Callable[[float], Awaitable[None]]

# Servers watch limits "a minute" over seconds too: no bucket saves up more than this.
BURST_S = 1.0
# Limits and pauses change while one waits, so long waits are looked at again; and below
# a clock's resolution no sleep would ever end the wait.
LONGEST_NAP_S = 1.0
SHORTEST_NAP_S = 0.001


class Bucket:
    """A token bucket that may go into debt: an amount beyond its capacity waits until it is full.

    Within any T seconds at most `rate * T + max(capacity, largest amount)` are spent.

    Args:
        per_minute: None: without a limit, until the server tells one.
        now: seconds, of the clock that all later times are of.
    """

    def __init__(self, per_minute: float | None, *, now: float) -> None:
        self._configured = per_minute
        self._rate: float | None = None  # a second
        self._capacity = 0.0
        self._level = 0.0
        self._filled_at = now
        self._set_rate(per_minute)

    def wait_s(self, amount: float, *, now: float) -> float:
        """Seconds until so much may be spent; 0 is now."""
        if self._rate is None:
            return 0.0
        self._fill(now)
        return max(0.0, (min(amount, self._capacity) - self._level) / self._rate)

    def spend(self, amount: float) -> None:
        """Take so much out, into debt if need be."""
        if self._rate is not None:
            self._level -= amount

    def correct(self, *, estimated: float, used: float) -> None:
        """What was spent as `estimated` proved to be `used`."""
        if self._rate is not None:
            self._level = min(self._capacity, self._level + estimated - used)

    def learn(self, *, limit: int | None, rest: int | None, now: float) -> None:
        """The server told its limit a minute, and what is left of it.

        It counts where it is below our own limit. A server may mean a day and not a minute:
        its limit is then too high, and does no harm.
        """
        self._fill(now)
        if limit is not None and limit > 0:
            self._set_rate(limit if self._configured is None else min(limit, self._configured))
        if rest is not None and self._rate is not None:
            self._level = min(self._level, float(rest))

    def _set_rate(self, per_minute: float | None) -> None:
        if per_minute is None:
            return
        rate, had_none = per_minute / 60, self._rate is None
        self._capacity = max(1.0, rate * BURST_S)
        self._rate = rate
        self._level = self._capacity if had_none else min(self._level, self._capacity)

    def _fill(self, now: float) -> None:
        if self._rate is not None:
            gained = (now - self._filled_at) * self._rate
            self._level = min(self._capacity, self._level + gained)
        self._filled_at = now


class RateLimits:
    """Lets attempts out in the order they came, when both buckets and the server allow it.

    What is in flight counts as estimated: over any minute the tokens used may pass the
    limit by the burst and by what the estimates of the calls in flight were wrong.

    Args:
        rest: sleeps; may raise to end the waiting.
    """

    def __init__(
        self,
        *,
        requests_per_minute: int | None,
        tokens_per_minute: int | None,
        clock: Callable[[], float],
        rest: Rest,
    ) -> None:
        self._clock = clock
        self._rest = rest
        self._requests = Bucket(requests_per_minute, now=clock())
        self._tokens = Bucket(tokens_per_minute, now=clock())
        self._paused_until = float("-inf")
        # asyncio's lock is fair: it goes to whoever has waited longest.
        self._turn = asyncio.Lock()

    async def admit(self, tokens: int) -> None:
        """Wait until a request of so many tokens, as estimated, may go out; counts it."""
        async with self._turn:
            while (wait_s := self._wait_s(tokens)) > 0:
                await self._rest(min(max(wait_s, SHORTEST_NAP_S), LONGEST_NAP_S))
            self._requests.spend(1)
            self._tokens.spend(tokens)

    def correct(self, *, estimated: int, used: int) -> None:
        """A reply told how many tokens its request used."""
        self._tokens.correct(estimated=estimated, used=used)

    def pause(self, seconds: float) -> None:
        """The server asked to be left alone for so long."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def learn(self, headers: Mapping[str, str]) -> None:
        """Heed `x-ratelimit-limit-*` and `x-ratelimit-remaining-*` of a reply."""
        now = self._clock()
        for bucket, unit in ((self._requests, "requests"), (self._tokens, "tokens")):
            limit, rest = told_limit(headers, unit), told_rest(headers, unit)
            if limit is not None or rest is not None:
                bucket.learn(limit=limit, rest=rest, now=now)

    def _wait_s(self, tokens: int) -> float:
        now = self._clock()
        return max(
            self._paused_until - now,
            self._requests.wait_s(1, now=now),
            self._tokens.wait_s(tokens, now=now),
        )
