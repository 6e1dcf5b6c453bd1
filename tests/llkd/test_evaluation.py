"""Figures are those of the textbooks, and JSON can hold them."""

import json
import time

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from llkd.evaluation import EvaluationReport, evaluate
from llkd.types import FloatArray, IntArray

NAMES = ["a", "b", "c", "d"]


def make_report(
    gold: list[int] | IntArray,
    predicted: list[int] | IntArray,
    *,
    confidence: list[float] | FloatArray | None = None,
    teacher: list[int] | None = None,
    labels: list[str] = NAMES,
) -> EvaluationReport:
    unknown = np.full(len(gold), np.nan)
    return evaluate(
        np.asarray(gold),
        np.asarray(predicted),
        confidence=unknown if confidence is None else np.asarray(confidence),
        labels=labels,
        teacher=None if teacher is None else np.asarray(teacher),
    )


def random_answers(rows: int, classes: int, *, right: float) -> tuple[IntArray, IntArray]:
    generator = np.random.default_rng(0)
    gold = generator.integers(0, classes, rows)
    guess = generator.integers(0, classes, rows)
    return gold, np.where(generator.random(rows) < right, gold, guess)


class TestEvaluate:
    def test_it_agrees_with_scikit_learn(self):
        gold, predicted = random_answers(500, 4, right=0.5)
        report = make_report(gold, predicted)
        precision, recall, f1, support = precision_recall_fscore_support(gold, predicted)
        assert report.accuracy.value == pytest.approx(accuracy_score(gold, predicted))
        assert report.macro_f1.value == pytest.approx(f1.mean())
        assert [entry.precision for entry in report.per_class] == pytest.approx(precision)
        assert [entry.recall for entry in report.per_class] == pytest.approx(recall)
        assert [entry.f1 for entry in report.per_class] == pytest.approx(f1)
        assert [entry.support for entry in report.per_class] == support.tolist()
        assert np.array_equal(report.confusion, confusion_matrix(gold, predicted))

    def test_a_class_in_neither_is_left_out_and_one_only_predicted_counts_as_zero(self):
        report = make_report([0, 0, 1, 1], [0, 0, 1, 2])
        assert report.macro_f1.value == pytest.approx((1 + 2 / 3 + 0) / 3)
        absent, only_predicted = report.per_class[3], report.per_class[2]
        assert (absent.precision, absent.recall, absent.f1) == (None, None, None)
        assert (only_predicted.precision, only_predicted.recall, only_predicted.f1) == (0, None, 0)

    def test_a_row_without_an_answer_is_wrong_and_spoils_no_precision(self):
        report = make_report([0, 0, 1, 1], [0, -1, 1, 1], confidence=[0.9, np.nan, 0.8, 0.7])
        assert report.unanswered == 1
        assert report.accuracy.value == 0.75
        first = report.per_class[0]
        assert (first.precision, first.recall, first.unanswered) == (1, 0.5, 1)
        assert report.confusion[0] == (1, 0, 0, 0)
        assert report.calibration is not None
        assert report.calibration.rows == 3

    def test_agreement_is_over_rows_that_both_answered(self):
        report = make_report([0, 0, 1, 1], [0, 1, -1, 1], teacher=[0, 0, 1, -1])
        assert report.teacher_agreement is not None
        assert (report.teacher_agreement.value, report.teacher_agreement.rows) == (0.5, 2)
        assert make_report([0], [0], teacher=[-1]).teacher_agreement is None
        assert make_report([0], [0]).teacher_agreement is None

    def test_unknown_confidences_are_not_measured(self):
        assert make_report([0, 1], [0, 1]).calibration is None

    def test_equal_seeds_give_equal_reports(self):
        gold, predicted = random_answers(300, 4, right=0.5)
        assert make_report(gold, predicted) == make_report(gold, predicted)

    @pytest.mark.parametrize(
        ("gold", "predicted", "message"),
        [
            ([], [], "no rows"),
            ([0, 1], [0], "differ in length"),
            ([0, 4], [0, 0], "gold labels lie outside"),
            ([0, -1], [0, 0], "gold labels lie outside"),
            ([0, 0], [0, -2], "predicted labels lie outside"),
        ],
    )
    def test_what_cannot_be_evaluated_is_refused(self, gold, predicted, message):
        with pytest.raises(ValueError, match=message):
            make_report(gold, predicted)

    def test_a_confidence_above_one_is_refused(self):
        with pytest.raises(ValueError, match="confidences lie in"):
            make_report([0, 1], [0, 1], confidence=[0.5, 1.5])


class TestIntervals:
    def test_they_cover_as_a_bootstrap_of_rows_does(self):
        gold, predicted = random_answers(400, 4, right=0.6)
        report = make_report(gold, predicted)
        generator = np.random.default_rng(1)
        accuracies, scores = [], []
        for _ in range(400):
            rows = generator.integers(0, 400, 400)
            accuracies.append(accuracy_score(gold[rows], predicted[rows]))
            scores.append(precision_recall_fscore_support(gold[rows], predicted[rows])[2].mean())
        for interval, drawn in ((report.accuracy, accuracies), (report.macro_f1, scores)):
            low, high = np.quantile(drawn, [0.025, 0.975])
            assert interval.low == pytest.approx(low, abs=0.012)
            assert interval.high == pytest.approx(high, abs=0.012)
            assert interval.low < interval.value < interval.high

    def test_perfect_answers_leave_no_doubt(self):
        report = make_report([0, 1, 2], [0, 1, 2])
        assert (report.accuracy.low, report.macro_f1.low) == (1, 1)

    def test_no_answer_at_all_scores_nothing(self):
        report = make_report([0, 1, 2], [-1, -1, -1])
        assert (report.accuracy.value, report.macro_f1.value) == (0, 0)

    def test_ten_thousand_rows_of_77_classes_take_under_two_seconds(self):
        gold, predicted = random_answers(10_000, 77, right=0.3)
        names = [str(place) for place in range(77)]
        started = time.process_time()
        make_report(gold, predicted, labels=names, confidence=np.full(10_000, 0.5))
        assert time.process_time() - started < 2


class TestToJson:
    def test_it_is_plain_and_finite(self):
        report = make_report(
            [0, 1, 1], [0, -1, 1], confidence=[0.2, np.nan, 1.0], teacher=[0, 1, 1]
        )
        plain = json.loads(json.dumps(report.to_json(), allow_nan=False))
        assert plain == report.to_json()
        assert plain["per_class"][2]["precision"] is None
        assert plain["confusion"] == [[1, 0, 0, 0], [0, 1, 0, 0], [0] * 4, [0] * 4]
        assert plain["calibration"]["auroc"] is None
        assert plain["teacher_agreement"] == {"value": 1.0, "rows": 2}
