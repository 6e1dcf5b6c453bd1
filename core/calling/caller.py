"""Makes the calls of one asker to one server: paced, tried again, and given up in time."""

import asyncio
import random as random_numbers
import time
from collections.abc import Callable

from core.calling.breaker import Breaker, Park
from core.calling.concurrency import AdaptiveLimit
from core.calling.failures import Failure, FailureKind, failure_of
from core.calling.figures import CallFigures, CallTally
from core.calling.limits import RateLimits
from core.calling.outcomes import Answered, Called, Effort, Unanswered, WhyNot, why_of_request
from core.calling.policy import CallPolicy
from core.calling.replies import JsonObject, read_reply
from core.calling.rests import Rests, Sleep
from core.calling.retries import Retries
from core.calling.transport import Post

# Kinds whose wait concerns everyone: the server spoke of itself, not of one request.
_OF_THE_SERVER = frozenset({FailureKind.RATE_LIMITED, FailureKind.SERVER, FailureKind.TIMEOUT})


class PacedCaller:
    """Calls a server as fast as it bears. Lives on one event loop; of one attempt at a
    job, or of one connection of the API.

    A call first waits for a slot and then, holding it, for the rate, both in the order of
    asking. Between two attempts it holds nothing. Once the breaker parks nothing is posted
    any more: whoever waits gets `Park` at once, whoever is in flight ends, and an answer
    that still comes is given out.

    Args:
        post: sends one request; see `transport`.
        clock: seconds that never go back.
        wall_clock: seconds since 1970, for dates in headers.
        random: uniform in [0, 1).
    """

    def __init__(
        self,
        post: Post,
        policy: CallPolicy,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        sleep: Sleep = asyncio.sleep,
        random: Callable[[], float] = random_numbers.random,
    ) -> None:
        self._post = post
        self._timeout_s = policy.timeout_s
        self._clock = clock
        self._wall_clock = wall_clock
        self._tally = CallTally()
        self._limit = AdaptiveLimit(cap=policy.concurrency)
        self._retries = Retries(attempts=policy.attempts, share=policy.retry_share, random=random)
        self._breaker = Breaker(
            most_failures=policy.park_after_failures,
            quiet_s=policy.park_after_quiet_s,
            longest_wait_s=policy.longest_wait_s,
            stay_away_s=policy.stay_away_s,
        )
        self._rests = Rests(sleep, check=self._breaker.check)
        self._rates = RateLimits(
            requests_per_minute=policy.requests_per_minute,
            tokens_per_minute=policy.tokens_per_minute,
            clock=clock,
            rest=self._rests.rest,
        )

    @property
    def figures(self) -> CallFigures:
        """How the calls go, now."""
        return self._tally.figures(concurrency=self._limit.limit, in_flight=self._limit.in_flight)

    async def call(self, path: str, body: bytes, *, tokens: int) -> Called:
        """Make one request, in as many attempts as it gets.

        Args:
            tokens: of prompt and answer, estimated; 0 or more.

        Raises:
            Park: nobody is to ask for a while. A defect of the transport, which
                raises what is no failed call, passes through too; nothing else does.
        """
        self._breaker.check()
        self._tally.requests += 1
        effort = Effort()
        try:
            while True:
                read = await self._attempt(path, body, tokens=tokens)
                if not effort.attempts:
                    self._retries.earn()
                if not isinstance(read, Failure):
                    return self._ended(Answered(read), effort.after(None))
                effort = effort.after(read)
                if (why := why_of_request(read)) is not None:
                    return self._ended(Unanswered(why, read), effort)
                self._breaker.check()
                wait_s = self._retries.take(read, attempts=effort.attempts)
                if wait_s is None:
                    return self._ended(Unanswered(WhyNot.GAVE_UP, read), effort)
                self._tally.retries += 1
                await self._rests.rest(wait_s)
        except Park as park:
            park.effort = effort
            raise

    def _ended(self, result: Answered | Unanswered, effort: Effort) -> Called:
        called = Called(result, effort)
        self._tally.add_outcome(called)
        return called

    async def _attempt(self, path: str, body: bytes, *, tokens: int) -> JsonObject | Failure:
        round_number = await self._limit.acquire()
        try:
            await self._rates.admit(tokens)
            self._breaker.check()
            began_at = self._clock()
            read = await self._post_once(path, body)
            # Before the slot is free: the next in line is to find the limit already cut.
            if isinstance(read, Failure):
                self._learn_failure(read, round_number=round_number, began_at=began_at)
            else:
                self._learn_success(read, round_number=round_number, tokens=tokens)
            return read
        finally:
            self._limit.release()

    async def _post_once(self, path: str, body: bytes) -> JsonObject | Failure:
        try:
            async with asyncio.timeout(self._timeout_s):
                reply = await self._post(path, body)
        except TimeoutError:
            return Failure(FailureKind.TIMEOUT)
        except Exception as error:
            failure = failure_of(error)
            if failure is None:
                raise
            return failure
        self._rates.learn(reply.headers)
        return read_reply(reply, now=self._wall_clock())

    def _learn_success(self, answer: JsonObject, *, round_number: int, tokens: int) -> None:
        self._tally.attempts += 1
        self._limit.succeed(round_number)
        self._breaker.succeed(now=self._clock())
        used = _tokens_used(answer)
        if used is not None:
            self._rates.correct(estimated=tokens, used=used)

    def _learn_failure(self, failure: Failure, *, round_number: int, began_at: float) -> None:
        self._tally.attempts += 1
        self._tally.add_failure(failure)
        if failure.is_overload:
            self._limit.overload(round_number)
        if not failure.is_outage:
            self._limit.succeed(round_number)
            self._breaker.succeed(now=self._clock())
            return
        if failure.wait_s is not None and failure.kind in _OF_THE_SERVER:
            self._rates.pause(failure.wait_s)
        self._breaker.fail(failure, began_at=began_at, now=self._clock())
        if self._breaker.is_parked:
            self._limit.let_all_in()
            self._rests.wake()


def _tokens_used(answer: JsonObject) -> int | None:
    """`usage.total_tokens` where the server tells it."""
    usage = answer.get("usage")
    used = usage.get("total_tokens") if isinstance(usage, dict) else None
    return used if type(used) is int and used >= 0 else None
