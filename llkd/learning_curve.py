"""How good would a student be with more answers? Told from a few hundred of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llkd.bootstrap import class_f1, macro_f1
from llkd.estimated_confidence import Vectors, fit_and_predict
from llkd.types import FloatArray, IntArray

# Each repeat draws the answers anew; their spread is most of the interval.
REPEATS = 20
# Sizes of a curve, each larger than the one before by this factor.
_GROWTH = 1.5
_SMALLEST = 40
# Of the answers, what measures where no gold does.
_MEASURING_SHARE = 1 / 3
_EXPONENTS = np.array([0.3, 0.5, 0.7, 1.0])
# How far, in macro-F1, the student that is trained in the end may lie below and above the
# cheap one that draws the curve. In trials on six sets, which are not part of this
# repository, it was between 2 points worse and 14 better; every job's report scores it anew.
_BELOW, _ABOVE = 0.05, 0.14


@dataclass(frozen=True)
class Point:
    """Macro-F1 that so many answers are expected to lead to, with a 95 % interval.

    Attributes:
        answers: bought.
        value, low, high: in [0, 1].
    """

    answers: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Measuring:
    """What the curve is measured on: M texts.

    Attributes:
        vectors: [M, H], of length 1.
        labels: [M], gold, in 0..K-1.
    """

    vectors: Vectors
    labels: IntArray


def forecast(
    vectors: Vectors,
    labels: IntArray,
    *,
    class_count: int,
    measuring: Measuring | None,
    answers: Sequence[int],
    seed: int,
) -> list[Point]:
    """Extrapolate the macro-F1 of a cheap student from its learning curve.

    A logistic regression is fitted on growing parts of the answers. Of each repeat's curve,
    s(n) = a - b n^-c says how it goes on; c is the one that fits all repeats best.

    Args:
        vectors: [N, H], of N texts drawn by lot, of length 1.
        labels: [N], the teacher's, in 0..K-1.
        class_count: K.
        measuring: gold; None where there is none: then a third of the answers measure, and
            the forecast is of agreement with the teacher.
        answers: how many to forecast for, each at least 1.
        seed: of all lots.

    Source of the power law: Hestness et al. (2017), arXiv 1712.00409.
    """
    fitted_on = len(labels) if measuring else len(labels) - round(len(labels) * _MEASURING_SHARE)
    sizes = _sizes(fitted_on)
    curves = np.array(
        [
            _curve(vectors, labels, class_count, measuring, sizes=sizes, seed=[seed, repeat])
            for repeat in range(REPEATS)
        ]
    )
    extrapolated = _extrapolate(curves, sizes, np.array(answers, dtype=np.float64))
    low, value, high = np.quantile(extrapolated, [0.025, 0.5, 0.975], axis=0)
    return [
        Point(
            answers=count,
            value=float(np.clip(value[place], 0, 1)),
            low=float(np.clip(low[place] - _BELOW, 0, 1)),
            high=float(np.clip(high[place] + _ABOVE, 0, 1)),
        )
        for place, count in enumerate(answers)
    ]


def _sizes(most: int) -> list[int]:
    """Growing numbers of answers, `most` the last one."""
    sizes = [most]
    while sizes[0] / _GROWTH >= _SMALLEST:
        sizes.insert(0, int(sizes[0] / _GROWTH))
    return sizes


def _curve(
    vectors: Vectors,
    labels: IntArray,
    class_count: int,
    measuring: Measuring | None,
    *,
    sizes: Sequence[int],
    seed: Sequence[int],
) -> FloatArray:
    """[S], the score after each number of answers, drawn by this seed."""
    order = np.random.default_rng(seed).permutation(len(labels))
    learned, rest = order[: sizes[-1]], order[sizes[-1] :]
    measured = measuring or Measuring(vectors[rest], labels[rest])
    scores = []
    for size in sizes:
        some = learned[:size]
        probabilities = fit_and_predict(vectors[some], labels[some], measured.vectors, class_count)
        scores.append(_macro_f1(probabilities.argmax(axis=1), measured.labels, class_count))
    return np.array(scores)


def _macro_f1(predicted: IntArray, labels: IntArray, class_count: int) -> float:
    hits, gold, answers = (
        np.bincount(classes, minlength=class_count)
        for classes in (labels[predicted == labels], labels, predicted)
    )
    return float(macro_f1(class_f1(hits, gold, answers)))


def _extrapolate(curves: FloatArray, sizes: Sequence[int], wanted: FloatArray) -> FloatArray:
    """[R, W], every repeat's curve at the wanted numbers of answers."""
    if len(sizes) < 3:
        # Two points lie on any curve: as far as anyone knows, it goes on level.
        return np.repeat(curves[:, -1:], len(wanted), axis=1)
    errors: list[float] = []
    found: list[FloatArray] = []
    for exponent in _EXPONENTS:
        known = np.stack([np.ones(len(sizes)), -np.power(np.array(sizes), -exponent)], axis=1)
        asked = np.stack([np.ones(len(wanted)), -np.power(wanted, -exponent)], axis=1)
        weights, *_ = np.linalg.lstsq(known, curves.T, rcond=None)
        # More answers do not make a student worse: a curve that falls is noise.
        falls = weights[1] < 0
        weights[0, falls], weights[1, falls] = curves[falls].mean(axis=1), 0.0
        errors.append(float(np.square(known @ weights - curves.T).sum()))
        found.append((asked @ weights).T)
    return found[int(np.argmin(errors))]
