"""What a chat teacher needs of the network: one logical request, however often it is sent."""

from dataclasses import dataclass
from typing import Literal, Protocol

from llkd.types import Json

CHAT = "/chat/completions"
# vLLM's. It stands beside `/v1`, not below it: for `http://host:8000/v1` this is
# `http://host:8000/tokenize`.
TOKENIZE = "/tokenize"

# `bad_request`: a 400. `gave_up`: every retry failed. `permanent`: asking again is no use,
# such as a 404, or a 500 that says that a probability was no number.
FailureKind = Literal["bad_request", "gave_up", "permanent"]


@dataclass(frozen=True)
class Failure:
    """Why one request got no reply; others may.

    Attributes:
        body: the decoded body of an error, where there was one; it can be anything.
    """

    kind: FailureKind
    body: object = None


@dataclass(frozen=True)
class Called:
    """What became of one request: either a reply or a failure.

    Attributes:
        reply: the JSON object of a 200; what is in it can be anything.
        attempts: how often it was sent.
        timeouts: how many of these ran out of time, and may have been billed all the same.
    """

    reply: Json | None = None
    failure: Failure | None = None
    attempts: int = 1
    timeouts: int = 0

    def __post_init__(self) -> None:
        if (self.reply is None) == (self.failure is None):
            raise ValueError("a call has either a reply or a failure")


class Call(Protocol):
    """Sends one request; retries, pacing and parking happen below it."""

    async def __call__(self, path: str, body: bytes, *, tokens: int) -> Called:
        """Post a JSON body.

        Args:
            path: `CHAT`, below the base URL, or `TOKENIZE`, beside it.
            tokens: what it will use, in and out, estimated; 0 where nothing is generated.
        """
        ...
