"""How good are these answers, against gold labels and against the teacher?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from llkd.bootstrap import (
    RESAMPLES,
    ConfusionCells,
    Interval,
    accuracy_and_macro_f1,
    class_f1,
)
from llkd.calibration_figures import CalibrationFigures, calibration_figures
from llkd.types import FloatArray, IntArray, Json

# Stands where a label would, when there was no answer.
NO_ANSWER = -1


@dataclass(frozen=True)
class ClassScores:
    """One class. A figure is None where its denominator is 0.

    Attributes:
        support: rows whose gold label it is.
        predicted: rows answered with it.
        unanswered: rows of it that got no answer.
    """

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int
    predicted: int
    unanswered: int


@dataclass(frozen=True)
class TeacherAgreement:
    """On which share of the rows that both answered the teacher says the same."""

    value: float
    rows: int


@dataclass(frozen=True)
class EvaluationReport:
    """Answers to N rows measured against gold labels of K classes.

    Attributes:
        rows: N.
        unanswered: rows without an answer; they count as wrong.
        accuracy: with its 95 % interval.
        macro_f1: mean F1 over the classes that occur in gold or among the predictions;
            a class in neither is left out. With its 95 % interval.
        per_class: K entries, in the order of the labels.
        confusion: [K][K], gold by predicted, answered rows only.
        calibration: None when no confidence is known.
        teacher_agreement: None without a teacher, or without a row both answered.
    """

    rows: int
    unanswered: int
    accuracy: Interval
    macro_f1: Interval
    per_class: tuple[ClassScores, ...]
    confusion: tuple[tuple[int, ...], ...]
    calibration: CalibrationFigures | None
    teacher_agreement: TeacherAgreement | None

    def to_json(self) -> Json:
        """Plain numbers, strings, lists and null; never NaN or infinity."""
        plain: Json = _plain(asdict(self))
        return plain


def evaluate(
    gold: IntArray,
    predicted: IntArray,
    *,
    confidence: FloatArray,
    labels: Sequence[str],
    teacher: IntArray | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> EvaluationReport:
    """Measure N answers.

    Args:
        gold: [N], in 0..K-1.
        predicted: [N], in 0..K-1, or -1 for no answer.
        confidence: [N], probability of the predicted label, in [0, 1]; NaN when unknown.
        labels: the K names.
        teacher: [N], the teacher's labels, or -1 where it gave none.
        seed: of the bootstrap.
        resamples: of the bootstrap; 1000 steady the second digit of its interval.

    Raises:
        ValueError: no rows, arrays of different lengths, a label out of range, or a
            confidence outside [0, 1].
    """
    _check(gold, predicted, confidence, teacher, class_count=len(labels))
    confusion = _confusion(gold, predicted, len(labels))
    accuracy, macro_f1 = accuracy_and_macro_f1(_cells(confusion), seed=seed, resamples=resamples)
    answered = predicted != NO_ANSWER
    return EvaluationReport(
        rows=len(gold),
        unanswered=int((~answered).sum()),
        accuracy=accuracy,
        macro_f1=macro_f1,
        per_class=_class_scores(confusion, labels),
        confusion=tuple(tuple(int(count) for count in row[:-1]) for row in confusion),
        calibration=calibration_figures(
            confidence[answered], gold[answered] == predicted[answered]
        ),
        teacher_agreement=None if teacher is None else _agreement(predicted, teacher),
    )


def _check(
    gold: IntArray,
    predicted: IntArray,
    confidence: FloatArray,
    teacher: IntArray | None,
    *,
    class_count: int,
) -> None:
    if not len(gold):
        raise ValueError("there is nothing to evaluate: no rows")
    lengths = {len(gold), len(predicted), len(confidence)} | (
        set() if teacher is None else {len(teacher)}
    )
    if len(lengths) > 1:
        raise ValueError(f"gold, answers, confidences and teacher differ in length: {lengths}")
    for name, values, lowest in (
        ("gold", gold, 0),
        ("predicted", predicted, NO_ANSWER),
        ("teacher", gold if teacher is None else teacher, NO_ANSWER),
    ):
        if values.min() < lowest or values.max() >= class_count:
            raise ValueError(f"{name} labels lie outside {lowest}..{class_count - 1}")


def _confusion(gold: IntArray, predicted: IntArray, class_count: int) -> IntArray:
    """Count [K, K+1]: gold by predicted, the last column for no answer."""
    column = np.where(predicted == NO_ANSWER, class_count, predicted)
    flat = np.bincount(gold * (class_count + 1) + column, minlength=class_count * (class_count + 1))
    return flat.reshape(class_count, class_count + 1).astype(np.int64)


def _cells(confusion: IntArray) -> ConfusionCells:
    gold, predicted = np.nonzero(confusion)
    return ConfusionCells(gold, predicted, confusion[gold, predicted], len(confusion))


def _class_scores(confusion: IntArray, labels: Sequence[str]) -> tuple[ClassScores, ...]:
    hits, support = np.diagonal(confusion), confusion.sum(axis=1)
    predicted = confusion[:, :-1].sum(axis=0)
    f1 = class_f1(hits, support, predicted)
    return tuple(
        ClassScores(
            label=label,
            precision=_share(hits[index], predicted[index]),
            recall=_share(hits[index], support[index]),
            f1=None if math.isnan(f1[index]) else float(f1[index]),
            support=int(support[index]),
            predicted=int(predicted[index]),
            unanswered=int(confusion[index, -1]),
        )
        for index, label in enumerate(labels)
    )


def _agreement(predicted: IntArray, teacher: IntArray) -> TeacherAgreement | None:
    both = (predicted != NO_ANSWER) & (teacher != NO_ANSWER)
    rows = int(both.sum())
    if not rows:
        return None
    return TeacherAgreement(float((predicted == teacher)[both].mean()), rows)


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None


def _plain(value: Any) -> Any:
    """The same value as JSON can hold it: tuples as lists, non-finite numbers as null."""
    match value:
        case Mapping():
            return {key: _plain(entry) for key, entry in value.items()}
        case list() | tuple():
            return [_plain(entry) for entry in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value
