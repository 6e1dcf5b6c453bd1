"""An operation of the service as steps, without doing one of them.

An operation is a generator. It yields what shall be done and is sent what came of it, so that
the same one is driven by a blocking client and by an asynchronous one.
"""

import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from llkd_client.answers import Answer
from llkd_client.errors import ConnectionFailed, LlkdError, NotFound, Overloaded, Refused
from llkd_client.requests import Repeat, Request

T = TypeVar("T")
S = TypeVar("S", bound=BaseModel)
GATEWAY_TROUBLE = (502, 504)
# What is sent when the time is over, or nearly, may still be silent for so long.
LAST_SILENCE_SECONDS = 5.0
IN_PROGRESS = "idempotency-in-progress"


@dataclass(frozen=True)
class Send:
    """Send this; what comes of it is the whole Answer."""

    request: Request


@dataclass(frozen=True)
class Open:
    """Send this and keep the connection; the Answer has a body only if it is a refusal."""

    request: Request


@dataclass(frozen=True)
class Read:
    """The next bytes of what was opened; none at its end."""


@dataclass(frozen=True)
class Close:
    """Let go of what was opened."""


@dataclass(frozen=True)
class Sleep:
    seconds: float


@dataclass(frozen=True)
class Tell:
    """Hand this to whoever iterates."""

    item: object


Step = Send | Open | Read | Close | Sleep | Tell
Operation = Generator[Step, Any, T]


@dataclass(frozen=True)
class Items(Generic[T]):
    """An operation that tells items of this type, for as long as somebody wants more."""

    operation: Operation[None]


OnWait = Callable[[float, LlkdError], None]


@dataclass(frozen=True)
class RetryPolicy:
    """How often a request is sent again, and when.

    Attributes:
        attempts: all of them, the first included.
        first_wait: seconds before the second, doubled for each that follows.
        longest_wait: of the doubling.
        longest_retry_after: whoever says to come back later than this is not waited for. By
            default more than the minute that the service asks for where its queue is full.
        longest_in_progress: seconds to wait, in all, for an earlier attempt of the same request
            that lost its connection and is still at work. A large upload is for minutes.
        on_wait: is told, before each wait, how many seconds it takes and what failed.
    """

    attempts: int = 8
    first_wait: float = 0.5
    longest_wait: float = 10.0
    longest_retry_after: float = 120.0
    longest_in_progress: float = 600.0
    on_wait: OnWait | None = None
    random: Random = field(default_factory=Random, repr=False)

    def wait_before_next(self, failure: LlkdError, *, attempt: int, repeat: Repeat) -> float | None:
        """Seconds to wait after this failed attempt, the first being 1; None to give up."""
        if attempt >= self.attempts or not _may_repeat(failure, repeat):
            return None
        wait = self._backoff(attempt)
        told = failure.retry_after if isinstance(failure, Refused) else None
        if told is None:
            return wait
        if told > self.longest_retry_after:
            return None
        # A service that says "in a second" each time is busy for longer than it knows.
        return max(wait, told + self.random.uniform(0.0, 0.1) * min(told, self.longest_wait))

    def wait_in_progress(self, *, asked: int, waited: float) -> float | None:
        """Seconds until asking for the same again, the first time being 1; None to give up."""
        if self.attempts <= 1 or waited >= self.longest_in_progress:
            return None
        return self._backoff(asked)

    def _backoff(self, attempt: int) -> float:
        backoff = min(self.longest_wait, self.first_wait * 2.0 ** min(attempt - 1, 30))
        # Clients that failed together shall not come back together.
        return backoff * self.random.uniform(0.5, 1.0)


@dataclass(frozen=True)
class Core:
    """What all operations of a client share."""

    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def ask(self, request: Request, *, until: float = math.inf) -> Operation[Answer]:
        """Send, again where that is allowed and may help.

        Args:
            until: by `time.monotonic`; behind it one last attempt is made and no more.

        Raises:
            ConnectionFailed: no answer, at the last attempt.
            Refused: what the last attempt was answered with.
        """
        attempt, may_be_done = 0, False
        asked, waited = 0, 0.0
        while True:
            failure: LlkdError | None
            try:
                answer: Answer = yield Send(_cut(request, until))
                failure = answer.refusal()
            except ConnectionFailed as error:
                failure = error
            else:
                # An attempt whose answer was lost deleted it.
                lost = may_be_done and request.method == "DELETE" and isinstance(failure, NotFound)
                if failure is None or lost:
                    return answer
            if isinstance(failure, Refused) and failure.code == IN_PROGRESS:
                # No failure of this attempt: it does not count as one.
                asked += 1
                wait = self.retry.wait_in_progress(asked=asked, waited=waited)
                waited += wait or 0.0
            else:
                attempt += 1
                wait = self.retry.wait_before_next(failure, attempt=attempt, repeat=request.repeat)
            left = until - time.monotonic()
            if wait is None or left <= 0:
                raise failure
            may_be_done = may_be_done or not isinstance(failure, Overloaded)
            yield from self.pause(min(wait, left), failure)

    def pause(self, seconds: float, failure: LlkdError) -> Operation[None]:
        """Wait because of this failure, and say so."""
        if self.retry.on_wait is not None:
            self.retry.on_wait(seconds, failure)
        yield Sleep(seconds)

    def fetch(self, shape: type[S], request: Request) -> Operation[S]:
        """What `ask` answers, as this shape."""
        answer = yield from self.ask(request)
        return answer.read(shape)

    def do(self, request: Request) -> Operation[None]:
        """What `ask` does, where nothing is told."""
        yield from self.ask(request)


def _cut(request: Request, until: float) -> Request:
    """Such that it is over soon after this time."""
    return replace(request, most_seconds=max(until - time.monotonic(), LAST_SILENCE_SECONDS))


def may_pass(failure: LlkdError) -> bool:
    """Whether it is one that time may heal."""
    return _may_repeat(failure, Repeat.ALWAYS)


def _may_repeat(failure: LlkdError, repeat: Repeat) -> bool:
    match failure:
        case ConnectionFailed():
            return repeat is Repeat.ALWAYS or not failure.sent
        case Overloaded():
            return repeat is not Repeat.NEVER
        case Refused():
            return repeat is Repeat.ALWAYS and failure.status in GATEWAY_TROUBLE
        case _:
            return False
