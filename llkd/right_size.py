"""Which of several students to keep: as good as can be within a time."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Trial:
    """What is known of one trained student.

    Attributes:
        score: macro-F1 on held-out confident pseudo-labels, without gold; None where nothing
            was held out, which counts as 0.
        p95_ms: see `llkd.serving_cost.ServingCost`; None where it was not measured, because
            all students are served alike.
        size_bytes: likewise.
    """

    score: float | None
    p95_ms: float | None = None
    size_bytes: int | None = None


def holds(trial: Trial, *, most_ms: float | None) -> bool:
    """Whether it is fast enough; without a limit or a measurement, it is."""
    return most_ms is None or trial.p95_ms is None or trial.p95_ms <= most_ms


def choose(trials: Sequence[Trial], *, most_ms: float | None) -> int:
    """Place of the one to keep: of those fast enough, the best score; of none, the fastest.

    Among equal scores the faster one is kept, then the first.
    """
    fast = [place for place, trial in enumerate(trials) if holds(trial, most_ms=most_ms)]
    if not fast:
        return min(range(len(trials)), key=lambda place: _time(trials[place]))
    return max(fast, key=lambda place: (_score(trials[place]), -_time(trials[place]), -place))


def pareto_front(trials: Sequence[Trial]) -> list[bool]:
    """Of each, whether no other is at least as good, fast and small, and better in one of these."""
    costs = [(-_score(trial), _time(trial), trial.size_bytes or 0) for trial in trials]
    return [not any(_dominates(other, cost) for other in costs) for cost in costs]


def _dominates(other: tuple[float, ...], cost: tuple[float, ...]) -> bool:
    return other != cost and all(a <= b for a, b in zip(other, cost, strict=True))


def _score(trial: Trial) -> float:
    return trial.score or 0.0


def _time(trial: Trial) -> float:
    return trial.p95_ms or 0.0
