"""From log-probabilities of tokens to probabilities of labels."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from llkd.teachers.chat.reading import Candidate

# e^-100 is as good as nothing. Servers send -inf, -9999 or NaN for a token they rule out.
LOWEST = -100.0


@dataclass(frozen=True)
class Distribution:
    """How likely each label is.

    Attributes:
        probabilities: K values that sum to 1.
        mass: probability that the token is a label's code at all, in [0, 1]; of the listed
            codes alone where the list is cut.
        truncated: whether some label was not in the list and stands at the floor.
    """

    probabilities: tuple[float, ...]
    mass: float
    truncated: bool

    @property
    def label(self) -> int:
        """The likeliest, the first of equals."""
        return max(range(len(self.probabilities)), key=self.probabilities.__getitem__)


def from_scores(scores: Mapping[int, float], *, class_count: int, floor: float) -> Distribution:
    """Make the labels' log-probabilities sum to 1.

    Args:
        scores: label index to log-probability, each at most 0; at least one label.
        class_count: K.
        floor: log-probability of a label without a score.
    """
    every = [scores.get(index, floor) for index in range(class_count)]
    highest = max(every)
    weights = [math.exp(score - highest) for score in every]
    total = sum(weights)
    return Distribution(
        probabilities=tuple(weight / total for weight in weights),
        mass=min(1.0, sum(math.exp(score) for score in scores.values())),
        truncated=len(scores) < class_count,
    )


def clipped(logprob: float) -> float | None:
    """A log-probability in [`LOWEST`, 0]; None for NaN, which says nothing."""
    return None if math.isnan(logprob) else min(0.0, max(LOWEST, logprob))


def different_tokens(chosen: Candidate | None, listed: Sequence[Candidate]) -> dict[str, float]:
    """Each token once with its clipped log-probability; one that says nothing is left out.

    The token that was written stands in the list, too, or beside it where it was not among
    the likeliest. Of two entries with one token the likelier counts.
    """
    tokens: dict[str, float] = {}
    for candidate in [*listed, *([] if chosen is None else [chosen])]:
        logprob = clipped(candidate.logprob)
        if logprob is not None:
            tokens[candidate.token] = max(logprob, tokens.get(candidate.token, LOWEST))
    return tokens


def floor_of(listed: Iterable[float], *, known: Iterable[float]) -> float:
    """What a token that is not known can have at the most, as a log-probability.

    No more than the least likely of the likeliest tokens, and no more than all that the
    known ones leave over.

    Args:
        listed: log-probabilities of the likeliest tokens, at least one, each in [`LOWEST`, 0].
        known: these, and that of the token that was written.
    """
    rest = 1.0 - sum(math.exp(logprob) for logprob in known)
    return max(LOWEST, min(min(listed), math.log(rest) if rest > 0 else LOWEST))


def added(first: float, second: float) -> float:
    """The logarithm of the sum of two probabilities given by theirs; at most 0."""
    high, low = max(first, second), min(first, second)
    return min(0.0, high + math.log1p(math.exp(low - high)))
