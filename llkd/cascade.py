"""Which texts may a student answer itself, so that what is answered agrees with its teacher?

The promise: with probability at least 1 - delta over the draw of the certifying texts, the
agreement on texts drawn as those were is not below the target. Nothing is assumed of student,
teacher or scores; docs/cascade.md says what it does not cover.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

import numpy as np

from llkd.binomial import at_least, at_most, exact_lower
from llkd.threshold_path import Observed, threshold_path
from llkd.types import FloatArray, IntArray


class Below(StrEnum):
    """Who answers a text whose score is below the threshold; it decides what agreement is.

    Agreement is the share of all answers that are given which equal the teacher's.
    """

    # The teacher, who agrees with itself: every text counts.
    TEACHER = "teacher"
    # Nobody: the student's own answers alone count.
    NOBODY = "nobody"


@dataclass(frozen=True)
class Cascade:
    """Thresholds by label, and what the certifying texts say of them.

    Attributes:
        thresholds: [K], the student answers a text if its score reaches the one of its
            label; inf for a label that it never answers.
        coverage: share of the certifying texts that the student answers.
        agreement: share of the answers given that equal the teacher's; None without any.
        bound: exact lower bound of it at these thresholds, never below the target; None where
            nothing could be certified, and the student answers nothing.
        certifying: number of texts that it rests on.
    """

    thresholds: FloatArray
    coverage: float
    agreement: float | None
    bound: float | None
    certifying: int

    @property
    def is_certified(self) -> bool:
        """Whether there are texts that the student may answer."""
        return self.bound is not None


def certify(
    shaping: Observed,
    certifying: Observed,
    *,
    class_count: int,
    target: float,
    delta: float,
    below: Below,
) -> Cascade:
    """Find thresholds that let the student answer as much as the target allows.

    The shaping texts lay out a path of thresholds. The certifying texts, which had no say in
    it, test its steps in that order, each at the whole risk, and the first one that fails ends
    the walk. If any step on the way breaks the target, the walk passes the first such step
    with a probability of at most delta, so no correction for the number of steps is due.

    Args:
        target: agreement that is wanted, in (0, 1).
        delta: the risk of falling below it, in (0, 1).

    Raises:
        ValueError: target or delta is not in (0, 1).

    Source: Angelopoulos et al. (2021), arXiv 2110.01052, fixed sequence testing; the exact
        test of a binomial count for each step.
    """
    path = threshold_path(shaping, class_count=class_count)
    return walk(path, shaping, certifying, target=target, delta=delta, below=below)


def walk(
    path: FloatArray,
    shaping: Observed,
    certifying: Observed,
    *,
    target: float,
    delta: float,
    below: Below,
) -> Cascade:
    """`certify` along a path that is there: one serves every target, and most time goes into it.

    Args:
        path: [S, K], the `threshold_path` of the shaping texts.

    Raises:
        ValueError: target or delta is not in (0, 1).
    """
    if not (0 < target < 1 and 0 < delta < 1):
        raise ValueError(f"target {target} and delta {delta} have to lie between 0 and 1")
    passed = None
    for step in range(_first_step(_counts(shaping, path), target=target, below=below), len(path)):
        counts = _counts(certifying, path[step : step + 1])
        if not _risk_of(counts[0], target=target, below=below) <= delta:
            break
        passed = step
    thresholds = np.full(path.shape[1], np.inf) if passed is None else path[passed]
    (counted,) = _counts(certifying, thresholds[None])
    right, given = _answers(counted, below)
    return Cascade(
        thresholds=thresholds,
        coverage=counted.answered / len(certifying) if len(certifying) else 0.0,
        agreement=right / given if given else None,
        bound=None if passed is None else exact_lower(right, trials=given, risk=delta),
        certifying=len(certifying),
    )


def halve(rows: int) -> tuple[IntArray, IntArray]:
    """Places of the texts that shape and of those that certify, by a lot that is always the same.

    With an odd number the certifying ones are more.
    """
    order = np.random.default_rng(0).permutation(rows)
    return order[: rows // 2], order[rows // 2 :]


@dataclass(frozen=True)
class _Counted:
    """What becomes of N texts under some thresholds.

    Attributes:
        disagreeing: answered by the student, and not as the teacher does.
    """

    texts: int
    answered: int
    disagreeing: int


def _counts(observed: Observed, path: FloatArray) -> Sequence[_Counted]:
    """For each of the [S, K] thresholds."""
    return [
        _Counted(len(observed), int(given.sum()), int((given & ~observed.agrees).sum()))
        for given in map(observed.answered, path)
    ]


def _first_step(counts: Sequence[_Counted], *, target: float, below: Below) -> int:
    """Where the walk begins; the shaping texts may tell, the certifying ones may not.

    What the teacher answers counts as agreement, so the most careful step is the surest. Where
    only the student's answers count, too careful a step has too few of them to show anything:
    there the step that looks surest on the shaping texts is the first.
    """
    match below:
        case Below.TEACHER:
            return 0
        case Below.NOBODY:
            return int(np.argmin([_risk_of(each, target=target, below=below) for each in counts]))
        case _:
            assert_never(below)


def _risk_of(counted: _Counted, *, target: float, below: Below) -> float:
    """Probability of counts that look as good or better if the agreement were just the target."""
    right, given = _answers(counted, below)
    match below:
        case Below.TEACHER:
            return at_most(given - right, trials=given, chance=1 - target)
        case Below.NOBODY:
            return at_least(right, trials=given, chance=target)
        case _:
            assert_never(below)


def _answers(counted: _Counted, below: Below) -> tuple[int, int]:
    """Answers that equal the teacher's, and answers given."""
    match below:
        case Below.TEACHER:
            return counted.texts - counted.disagreeing, counted.texts
        case Below.NOBODY:
            return counted.answered - counted.disagreeing, counted.answered
        case _:
            assert_never(below)
