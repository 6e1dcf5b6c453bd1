"""Figures that are not known: from a sample, with what they will lie between."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from llkd.wilson import Z, wilson


@dataclass(frozen=True)
class Interval:
    """A figure that is not known, and what it will lie between nineteen times in twenty."""

    low: float
    expected: float
    high: float

    def __add__(self, other: "Interval") -> "Interval":
        return Interval(
            self.low + other.low, self.expected + other.expected, self.high + other.high
        )

    def __mul__(self, other: "Interval") -> "Interval":
        """The product of two figures that are at least 0."""
        return Interval(
            self.low * other.low, self.expected * other.expected, self.high * other.high
        )

    def __truediv__(self, other: "Interval") -> "Interval":
        """Each figure's share of the other's, by place; 0 of nothing."""
        return Interval(
            self.low / other.low if other.low else 0.0,
            self.expected / other.expected if other.expected else 0.0,
            self.high / other.high if other.high else 0.0,
        )

    def most(self, cap: float) -> "Interval":
        """No more than so much."""
        return Interval(min(self.low, cap), min(self.expected, cap), min(self.high, cap))


NOTHING = Interval(0, 0, 0)


def scaled(interval: Interval, factor: float) -> Interval:
    """So many times the figure; the factor is at least 0."""
    return interval * Interval(factor, factor, factor)


def mean_of_three(counts: Sequence[tuple[float, float, float]], *, rows: int) -> Interval:
    """Means of the three, the outer ones beyond by their sampling errors."""
    if not counts:
        return NOTHING
    low, expected, high = (list(column) for column in zip(*counts, strict=True))
    return Interval(
        max(0.0, _average(low) - _error(low, rows=rows)),
        _average(expected),
        _average(high) + _error(high, rows=rows),
    )


def _average(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _error(values: Sequence[float], *, rows: int) -> float:
    """Half the 95 % interval of a mean; 0 where all of the rows were looked at.

    With the correction for finite populations: Cochran, Sampling Techniques (1977), 2.6.
    """
    count = len(values)
    if count < 2 or count >= rows:
        return 0.0
    mean = _average(values)
    variance = sum((value - mean) ** 2 for value in values) / (count - 1)
    return Z * math.sqrt(variance / count * (1 - count / rows))


def share_of(found: int, count: int, *, rows: int) -> Interval:
    """The share of `rows` that have what `found` of the `count` drawn have, each at most 1.

    Exact where all were drawn, else Wilson's interval (1927).
    """
    if not count:
        return NOTHING
    share = found / count
    if count >= rows:
        return Interval(share, share, share)
    low, high = wilson(found, count)
    return Interval(low, share, high)
