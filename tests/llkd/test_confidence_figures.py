"""What confidences are worth, also when they tie, saturate or are unknown."""

import math

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

from llkd.confidence_figures import ConfidenceFigures, confidence_figures, tied_share
from llkd.pseudo_labels import PseudoLabels
from llkd.types import IntArray
from tests.llkd.answers import bare, boasting


def measure(
    answers: PseudoLabels, gold: IntArray, *, fold: IntArray | None = None
) -> ConfidenceFigures:
    figures = confidence_figures(answers, gold, fold=fold)
    assert figures is not None
    return figures


class TestConfidenceFigures:
    def test_they_are_those_of_the_textbook(self):
        answers, gold = boasting(400)
        right = answers.labels == gold
        figures = measure(answers, gold)
        assert figures.rows == 400
        assert figures.accuracy == pytest.approx(right.mean())
        assert figures.brier == pytest.approx(brier_score_loss(right, answers.confidence))
        sure = np.clip(answers.confidence, 1e-6, 1 - 1e-6)
        assert figures.log_loss == pytest.approx(sklearn_log_loss(right, sure), abs=1e-5)
        assert figures.auroc == pytest.approx(roc_auc_score(right, answers.confidence))

    def test_the_error_is_over_the_ten_bins_that_are_shown(self):
        confidence = np.array([0.95, 0.95, 0.55, 0.55])
        figures = measure(bare(np.zeros(4, dtype=np.int64), confidence), np.array([0, 1, 0, 0]))
        assert figures.ece == pytest.approx((2 * 0.45 + 2 * 0.45) / 4)
        assert [each.count for each in figures.reliability] == [0, 0, 0, 0, 0, 2, 0, 0, 0, 2]

    def test_certainty_that_fails_costs_much_and_never_infinity(self):
        figures = measure(bare(np.zeros(2, dtype=np.int64), np.array([1.0, 0.0])), np.array([1, 0]))
        assert figures.log_loss == pytest.approx(math.log(1e6))

    def test_unknown_ones_are_left_out(self):
        answers = bare(np.zeros(3, dtype=np.int64), np.array([np.nan, 0.8, np.nan]))
        assert measure(answers, np.array([1, 0, 1])).rows == 1
        assert confidence_figures(answers.take(np.array([0, 2])), np.array([1, 1])) is None

    def test_within_a_label_only_its_own_answers_are_compared(self):
        # Label 0 is always sure and mostly right, label 1 the other way round: over both
        # labels the confidence ranks, within each it says nothing.
        labels = np.repeat([0, 1], 4)
        confidence = np.repeat([0.9, 0.5], 4)
        gold = np.array([0, 0, 0, 1, 1, 0, 0, 0])
        figures = measure(bare(labels, confidence), gold)
        assert figures.auroc == pytest.approx(0.75)
        assert figures.auroc_within == pytest.approx(0.5)

    @pytest.mark.parametrize("gold", [[0, 0, 0], [1, 1, 1]])
    def test_one_outcome_alone_ranks_nothing(self, gold: list[int]):
        answers = bare(np.zeros(3, dtype=np.int64), np.array([0.2, 0.5, 0.9]))
        figures = measure(answers, np.array(gold))
        assert (figures.auroc, figures.auroc_within) == (None, None)

    def test_ranks_of_two_folds_are_not_compared(self):
        # Within a fold the right answer is the surer one; fold 1 is surer throughout.
        answers = bare(np.zeros(4, dtype=np.int64), np.array([0.2, 0.1, 0.9, 0.8]))
        gold = np.array([0, 1, 0, 1])
        assert measure(answers, gold).auroc == pytest.approx(0.75)
        folded = measure(answers, gold, fold=np.array([0, 0, 1, 1]))
        assert (folded.auroc, folded.auroc_within) == (1.0, 1.0)

    def test_ties_are_counted_within_a_fold(self):
        answers = bare(np.zeros(4, dtype=np.int64), np.array([0.5, 0.5, 0.5, 0.9]))
        gold = np.zeros(4, dtype=np.int64)
        assert measure(answers, gold).tied == 0.75
        assert measure(answers, gold, fold=np.array([0, 0, 1, 1])).tied == 0.5


class TestTiedShare:
    @pytest.mark.parametrize(
        ("confidence", "share"),
        [([], 0.0), ([0.5], 0.0), ([0.5, 0.5], 1.0), ([0.5, 0.5, 0.7, 1.0], 0.5)],
    )
    def test_it_counts_those_that_are_not_alone(self, confidence: list[float], share: float):
        assert tied_share(np.array(confidence)) == share
