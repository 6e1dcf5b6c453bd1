"""What a confidence is worth, also when it ties, saturates or is unknown."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from llkd.calibration_figures import auroc, calibration_figures, reliability_bins


class TestCalibrationFigures:
    def test_honest_confidences_have_no_error(self):
        confidence = np.repeat([0.5, 0.9], [10, 10])
        correct = np.array([True, False] * 5 + [True] * 9 + [False])
        figures = calibration_figures(confidence, correct)
        assert figures is not None
        assert figures.ece == pytest.approx(0)
        assert (figures.rows, figures.distinct) == (20, 2)

    def test_the_error_is_the_weighted_gap(self):
        confidence = np.array([0.9, 0.9, 0.5, 0.5])
        figures = calibration_figures(confidence, np.array([True, False, True, True]))
        assert figures is not None
        assert figures.ece == pytest.approx((2 * 0.4 + 2 * 0.5) / 4)
        assert figures.mean_confidence == pytest.approx(0.7)

    def test_unknown_ones_are_left_out(self):
        figures = calibration_figures(np.array([np.nan, 0.8]), np.array([False, True]))
        assert figures is not None
        assert figures.rows == 1
        assert calibration_figures(np.array([np.nan]), np.array([True])) is None


class TestReliabilityBins:
    def test_an_edge_belongs_below_and_zero_to_the_first(self):
        bins = reliability_bins(np.array([0.0, 1 / 15, 1.0]), np.array([True] * 3))
        assert [entry.count for entry in bins] == [2, *[0] * 13, 1]
        assert bins[5].confidence is None

    @given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
    def test_each_answer_lies_in_one_bin(self, confidences):
        bins = reliability_bins(np.array(confidences), np.ones(len(confidences), dtype=bool))
        assert sum(entry.count for entry in bins) == len(confidences)
        assert (bins[0].lower, bins[-1].upper) == (0, 1)


class TestAuroc:
    def test_ties_count_half(self):
        score = np.random.default_rng(0).integers(0, 4, 300) / 4
        positive = np.random.default_rng(1).random(300) < score
        assert auroc(score, positive) == pytest.approx(roc_auc_score(positive, score))
        assert auroc(np.full(4, 0.5), np.array([True, False, True, False])) == 0.5

    def test_without_both_kinds_there_is_none(self):
        assert auroc(np.array([0.1, 0.2]), np.array([True, True])) is None
        assert auroc(np.array([0.1, 0.2]), np.array([False, False])) is None
