"""A chat teacher's requests, sent by the paced caller."""

from functools import partial

from pydantic import SecretStr

from core.calling.caller import PacedCaller
from core.calling.outcomes import Answered, Unanswered, WhyNot
from core.calling.replies import JsonObject
from core.logging import REDACTED
from llkd.teachers.chat.calling import TOKENIZE, Called, Failure


class Wire:
    """A `llkd.teachers.chat.calling.Call`.

    Args:
        caller: of the server's root.
        path: the base URL's; questions go below it.
        key: what the requests are sent with; a server may repeat it.
    """

    def __init__(self, caller: PacedCaller, *, path: str, key: SecretStr | None) -> None:
        self._caller = caller
        self._path = path
        self._key = key

    async def __call__(self, path: str, body: bytes, *, tokens: int) -> Called:
        """Send it.

        Raises:
            Park: the server cannot be asked for a while.
        """
        # `/tokenize` stands beside `/v1`.
        prefix = self._path.removesuffix("/v1") if path == TOKENIZE else self._path
        called = await self._caller.call(prefix + path, body, tokens=tokens)
        # All that may have been billed counts as what ran out of time does: at the estimate.
        told = partial(Called, attempts=called.effort.attempts, timeouts=called.effort.maybe_billed)
        match called.result:
            case Answered(body=reply):
                return told(reply=self._without_key(reply))
            case Unanswered() as unanswered:
                return told(failure=_failure(unanswered))

    def _without_key(self, reply: JsonObject) -> JsonObject:
        """The reply with no key in the model's name: all of a server's words that are stored."""
        name = reply.get("model")
        if self._key is None or not isinstance(name, str):
            return reply
        return reply | {"model": name.replace(self._key.get_secret_value(), REDACTED)}


def _failure(unanswered: Unanswered) -> Failure:
    said = {"error": {"code": unanswered.failure.code, "message": unanswered.failure.message}}
    match unanswered.why:
        case WhyNot.REFUSED_BY_SERVER:
            return Failure("bad_request", body=said)
        case WhyNot.PERMANENT:
            return Failure("permanent", body=said)
        case WhyNot.GAVE_UP:
            return Failure("gave_up", body=said)
