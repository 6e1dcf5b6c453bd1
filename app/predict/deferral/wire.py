"""A chat teacher's requests, sent by a paced caller that is renewed after a rest."""

import time
from collections.abc import Callable
from functools import partial

import structlog
from pydantic import SecretStr

from core.calling.breaker import Park
from core.calling.caller import PacedCaller
from core.calling.outcomes import Answered, Unanswered, WhyNot
from core.calling.replies import JsonObject
from core.logging import REDACTED
from llkd.teachers.chat.calling import TOKENIZE, Called, Failure, FailureKind

log = structlog.get_logger(__name__)

# A key and an account are mended by a person; a new key makes a new line at once.
LONGEST_REST_S = 300.0
_KINDS: dict[WhyNot, FailureKind] = {
    WhyNot.REFUSED_BY_SERVER: "bad_request",
    WhyNot.PERMANENT: "permanent",
    WhyNot.GAVE_UP: "gave_up",
}


class Wire:
    """A `llkd.teachers.chat.calling.Call` that fails at once while the server is left alone.

    Args:
        renew: makes a caller of the server's root that knows of no failures.
        path: the base URL's; questions go below it.
        key: what the requests are sent with; a server may repeat it.
    """

    def __init__(
        self,
        renew: Callable[[], PacedCaller],
        *,
        path: str,
        key: SecretStr | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._renew = renew
        self._path = path
        self._key = key
        self._clock = clock
        self._caller = renew()
        self._rests_until: float | None = None

    async def __call__(self, path: str, body: bytes, *, tokens: int) -> Called:
        """Send it.

        Raises:
            Park: the server is being left alone.
        """
        caller = self._rested()
        # `/tokenize` stands beside `/v1`.
        prefix = self._path.removesuffix("/v1") if path == TOKENIZE else self._path
        try:
            called = await caller.call(prefix + path, body, tokens=tokens)
        except Park as park:
            self._rest(caller, park)
            raise
        # All that may have been billed counts as what ran out of time does: at the estimate.
        told = partial(Called, attempts=called.effort.attempts, timeouts=called.effort.maybe_billed)
        match called.result:
            case Answered(body=reply):
                return told(reply=self._without_key(reply))
            case Unanswered(why=why, failure=failure):
                said = {"error": {"code": failure.code, "message": failure.message}}
                return told(failure=Failure(_KINDS[why], body=said))

    def _rested(self) -> PacedCaller:
        if self._rests_until is not None and self._clock() >= self._rests_until:
            self._caller, self._rests_until = self._renew(), None
        return self._caller

    def _rest(self, caller: PacedCaller, park: Park) -> None:
        if caller is self._caller and self._rests_until is None:
            seconds = min(park.after_s, LONGEST_REST_S)
            self._rests_until = self._clock() + seconds
            log.warning("deferral_server_rests", code=park.code, seconds=seconds)

    def _without_key(self, reply: JsonObject) -> JsonObject:
        """The reply with no key in the model's name: all of a server's words that are kept."""
        name = reply.get("model")
        if self._key is None or not isinstance(name, str):
            return reply
        return reply | {"model": name.replace(self._key.get_secret_value(), REDACTED)}
