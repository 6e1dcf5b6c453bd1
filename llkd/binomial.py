"""What does a count say, exactly, of the chance behind it?"""

from functools import lru_cache

import numpy as np

from llkd.types import FloatArray

# Halvings of an interval of chances: what is left is less than a float64 tells apart.
_HALVINGS = 60


def at_most(successes: int, *, trials: int, chance: float) -> float:
    """Probability of so many successes or fewer."""
    return _between(0, successes, trials=trials, chance=chance)


def at_least(successes: int, *, trials: int, chance: float) -> float:
    """Probability of so many successes or more."""
    return _between(successes, trials, trials=trials, chance=chance)


def exact_lower(successes: int, *, trials: int, risk: float) -> float:
    """Lower bound of a chance: one-sided, wrong with a probability of at most `risk`.

    It is the chance under which so many successes or more have the probability `risk`.

    Args:
        successes: at most `trials`.
        risk: in (0, 1).

    Returns:
        In [0, 1]; 0 without a success.

    Source: Clopper and Pearson (1934), Biometrika 26.
    """
    if not successes:
        return 0.0
    low, high = 0.0, successes / trials
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        is_too_high = at_least(successes, trials=trials, chance=middle) > risk
        low, high = (low, middle) if is_too_high else (middle, high)
    return low


def exact_upper(successes: int, *, trials: int, risk: float) -> float:
    """Upper bound of a chance, as `exact_lower` of the failures; 1 without a failure."""
    return 1.0 - exact_lower(trials - successes, trials=trials, risk=risk)


def _between(first: int, last: int, *, trials: int, chance: float) -> float:
    """Probability of `first` to `last` successes, both included."""
    if chance <= 0.0:
        return float(first <= 0 <= last)
    if chance >= 1.0:
        return float(first <= trials <= last)
    count = np.arange(first, last + 1)
    if not len(count):
        return 0.0
    factorial = _log_factorials(trials)
    ways = factorial[trials] - factorial[count] - factorial[trials - count]
    logarithms = ways + count * np.log(chance) + (trials - count) * np.log1p(-chance)
    return min(1.0, float(np.exp(logarithms).sum()))


@lru_cache(maxsize=8)
def _log_factorials(most: int) -> FloatArray:
    """[most + 1], natural logarithms of 0! to most!."""
    logarithms: FloatArray = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, most + 1)))])
    return logarithms
