"""A chat teacher's requests, sent by the paced caller."""

from functools import partial

from llkd.teachers.chat.calling import TOKENIZE, Called, Failure
from worker.calling.caller import PacedCaller
from worker.calling.outcomes import Answered, Unanswered, WhyNot


class Wire:
    """A `llkd.teachers.chat.calling.Call`.

    Args:
        caller: of the server's root.
        path: the base URL's; questions go below it.
    """

    def __init__(self, caller: PacedCaller, *, path: str) -> None:
        self._caller = caller
        self._path = path

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
                return told(reply=reply)
            case Unanswered() as unanswered:
                return told(failure=_failure(unanswered))


def _failure(unanswered: Unanswered) -> Failure:
    said = {"error": {"code": unanswered.failure.code, "message": unanswered.failure.message}}
    match unanswered.why:
        case WhyNot.REFUSED_BY_SERVER:
            return Failure("bad_request", body=said)
        case WhyNot.PERMANENT:
            return Failure("permanent", body=said)
        case WhyNot.GAVE_UP:
            return Failure("gave_up", body=said)
