"""What a server's reply says, whatever it is made of: nothing in it is trusted to be there."""

import math
import unicodedata
from dataclasses import dataclass

from llkd.types import Json

# No model reads or writes so much at once; a count beyond it is a fault of the server.
MOST_TOKENS = 10_000_000
_MODEL_LENGTH = 200


@dataclass(frozen=True)
class Candidate:
    """A token that could have come, and the natural logarithm of its probability.

    Attributes:
        logprob: as it was sent, but a float: it may be positive, infinite or NaN.
    """

    token: str
    logprob: float


@dataclass(frozen=True)
class Choice:
    """One answer of the one or several in a reply.

    Attributes:
        text: what the model wrote; empty where it wrote nothing.
        refused: whether the model, or a filter before or behind it, declined to answer.
        chosen: the first token that it wrote; None without logprobs.
        listed: the likeliest tokens in its place, as far as the server lists them.
    """

    text: str
    refused: bool = False
    chosen: Candidate | None = None
    listed: tuple[Candidate, ...] = ()


@dataclass(frozen=True)
class Usage:
    """Tokens that a reply says it took; None where it does not say so credibly."""

    tokens_in: int | None = None
    tokens_out: int | None = None


def choices_of(reply: Json) -> tuple[Choice, ...]:
    """The answers in a reply; what is no answer is left out."""
    choices = reply.get("choices")
    if not isinstance(choices, list):
        return ()
    return tuple(_choice(each) for each in choices if isinstance(each, dict))


def usage_of(reply: Json) -> Usage:
    """The tokens that a reply says it took."""
    usage = _object(reply.get("usage"))
    return Usage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")))


def model_of(reply: Json) -> str | None:
    """The name of the model that answered, if the reply has one that can be stored."""
    name = reply.get("model")
    if not isinstance(name, str) or not 0 < len(name) <= _MODEL_LENGTH:
        return None
    return name if all(unicodedata.category(each)[0] != "C" for each in name) else None


def number(value: object) -> float | None:
    """A JSON number as a float, NaN and infinities among them; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _choice(choice: Json) -> Choice:
    message = _object(choice.get("message"))
    content, refusal = message.get("content"), message.get("refusal")
    first = _first(_object(choice.get("logprobs")).get("content"))
    listed = first.get("top_logprobs")
    candidates = [_candidate(each) for each in listed] if isinstance(listed, list) else []
    return Choice(
        text=content if isinstance(content, str) else "",
        refused=choice.get("finish_reason") == "content_filter"
        or (isinstance(refusal, str) and bool(refusal.strip())),
        chosen=_candidate(first),
        listed=tuple(each for each in candidates if each is not None),
    )


def _candidate(value: object) -> Candidate | None:
    entry = _object(value)
    token, logprob = entry.get("token"), number(entry.get("logprob"))
    if not isinstance(token, str) or logprob is None:
        return None
    return Candidate(token, logprob)


def _count(value: object) -> int | None:
    tokens = number(value)
    # NaN fails the comparison, too.
    return int(tokens) if tokens is not None and 0 <= tokens <= MOST_TOKENS else None


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _first(value: object) -> Json:
    return _object(value[0]) if isinstance(value, list) and value else {}
