"""Calibrated answers stay distributions, and keep what they promise to keep."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llkd.pseudo_labels import PseudoLabels
from llkd.teacher_calibration import (
    Calibration,
    Contextual,
    Isotonic,
    Temperature,
    log_probabilities,
)
from tests.llkd.answers import bare, boasting, distributions

SOFTER = Calibration(Temperature(2.0))
LINE = Calibration(Isotonic((0.25, 0.75), (0.1, 0.5)))
BIASED = Calibration(Contextual((0.6, 0.3, 0.1)))
ALL = [SOFTER, LINE, BIASED]

# Zeros and ones are as common among real answers as anything between.
weights = st.one_of(st.just(0.0), st.floats(1e-9, 1.0))
rows = st.lists(weights, min_size=3, max_size=3).filter(lambda row: sum(row) > 0)


def confidences(calibration: Calibration, given_ones: list[float]) -> list[float]:
    labels = np.zeros(len(given_ones), dtype=np.int64)
    found: list[float] = calibration.apply(bare(labels, np.array(given_ones))).confidence.tolist()
    return found


class TestEveryCalibration:
    @pytest.mark.parametrize("calibration", ALL, ids=lambda each: each.method)
    @given(st.lists(rows, min_size=1, max_size=5))
    def test_rows_stay_distributions_with_the_label_s_own_confidence(
        self, calibration: Calibration, table: list[list[float]]
    ):
        changed = calibration.apply(distributions(np.array(table)))
        assert changed.probabilities.min() >= 0
        assert changed.probabilities.sum(axis=1) == pytest.approx(1)
        own = changed.probabilities[np.arange(len(changed)), changed.labels]
        assert own.tolist() == changed.confidence.tolist()

    @pytest.mark.parametrize("calibration", ALL, ids=lambda each: each.method)
    def test_what_is_unknown_stays_unknown(self, calibration: Calibration):
        unknown = bare(np.array([2]), np.array([np.nan]))
        changed = calibration.apply(unknown)
        assert not calibration.covers(unknown).any()
        assert np.isnan(changed.confidence).all()
        assert np.isnan(changed.probabilities).all()
        assert changed.labels.tolist() == [2]

    @pytest.mark.parametrize("calibration", ALL, ids=lambda each: each.method)
    def test_no_answers_are_no_answers(self, calibration: Calibration):
        empty = distributions(np.ones((1, 3))).take(np.array([], dtype=np.int64))
        assert len(calibration.apply(empty)) == 0

    @pytest.mark.parametrize("calibration", ALL, ids=lambda each: each.method)
    def test_it_comes_back_from_json(self, calibration: Calibration):
        stored = json.loads(json.dumps(calibration.to_json()))
        back = Calibration.from_json(stored)
        assert back == calibration
        assert back.id == calibration.id

    def test_what_was_not_made_here_is_refused(self):
        with pytest.raises(ValueError, match="platt"):
            Calibration.from_json({"method": "platt", "parameters": {}})

    def test_each_has_an_id_of_its_own(self):
        others = [Calibration(Temperature(2.0000001)), Calibration(Isotonic((0.25,), (0.1,)))]
        ids = [each.id for each in (*ALL, *others)]
        assert len(set(ids)) == 5
        assert all(len(each) == 12 and set(each) <= set("0123456789abcdef") for each in ids)

    def test_the_given_answers_are_not_touched(self):
        answers = distributions(np.array([[0.5, 0.4, 0.1]]))
        for calibration in ALL:
            calibration.apply(answers)
        assert answers.probabilities.tolist() == [[0.5, 0.4, 0.1]]


class TestTemperature:
    def test_two_takes_the_square_root(self):
        changed = SOFTER.apply(distributions(np.array([[0.64, 0.32, 0.04]])))
        roots = np.sqrt([0.64, 0.32, 0.04])
        assert changed.probabilities[0] == pytest.approx(roots / roots.sum())

    def test_one_changes_nothing(self):
        answers, _ = boasting(50, temperature=1.0)
        changed = Calibration(Temperature(1.0)).apply(answers)
        assert changed.probabilities == pytest.approx(answers.probabilities, abs=1e-5)

    def test_certainty_is_softened_too(self):
        changed = SOFTER.apply(distributions(np.array([[1.0, 0.0, 0.0]])))
        assert changed.probabilities[0] == pytest.approx([1 / 1.002, 1e-3 / 1.002, 1e-3 / 1.002])

    def test_a_bare_confidence_is_not_covered(self):
        assert confidences(SOFTER, [0.9]) == [0.9]

    def test_logarithms_are_finite(self):
        assert log_probabilities(np.array([0.0, 1.0])) == pytest.approx([-13.8155, 0], abs=1e-4)


class TestIsotonic:
    def test_it_is_straight_between_and_level_outside(self):
        given_ones = [0.0, 0.25, 0.5, 0.75, 1.0]
        assert confidences(LINE, given_ones) == pytest.approx([0.1, 0.1, 0.3, 0.5, 0.5])

    def test_a_single_confidence_becomes_a_single_other_one(self):
        assert confidences(Calibration(Isotonic((0.9,), (0.4,))), [0.1, 0.9]) == [0.4, 0.4]

    def test_the_label_stays_and_the_others_keep_their_proportions(self):
        changed = LINE.apply(distributions(np.array([[0.5, 0.3, 0.2]])))
        assert changed.labels.tolist() == [0]
        assert changed.probabilities[0] == pytest.approx([0.3, 0.42, 0.28])

    def test_what_a_certain_label_loses_goes_to_the_others_evenly(self):
        changed = LINE.apply(distributions(np.array([[0.0, 1.0, 0.0]])))
        assert changed.probabilities[0] == pytest.approx([0.25, 0.5, 0.25])

    @given(st.lists(st.floats(0, 1), min_size=2, max_size=20))
    def test_no_order_is_turned_round(self, given_ones: list[float]):
        assert (np.diff(confidences(LINE, sorted(given_ones))) >= 0).all()

    def test_answers_with_and_without_probabilities_stand_side_by_side(self):
        mixed = PseudoLabels(
            np.array([0, 0]),
            np.array([0.5, 0.5]),
            np.array([[0.5, 0.3, 0.2], [np.nan] * 3]),
        )
        changed = LINE.apply(mixed)
        assert changed.confidence == pytest.approx([0.3, 0.3])
        assert changed.distributed.tolist() == [True, False]


class TestContextual:
    def test_the_answer_to_nothing_becomes_even(self):
        changed = BIASED.apply(distributions(np.array([[0.6, 0.3, 0.1]])))
        assert changed.probabilities[0] == pytest.approx([1 / 3] * 3)

    def test_a_label_that_won_by_bias_loses(self):
        changed = BIASED.apply(distributions(np.array([[0.5, 0.2, 0.3]])))
        assert changed.labels.tolist() == [2]
        assert changed.confidence == pytest.approx([3.0 / (0.5 / 0.6 + 0.2 / 0.3 + 3.0)])

    def test_a_label_never_given_to_nothing_does_not_win_everything(self):
        never = Calibration(Contextual((1.0, 0.0)))
        changed = never.apply(distributions(np.array([[0.995, 0.005], [0.9, 0.1]])))
        assert changed.labels.tolist() == [0, 1]


class TestPseudoLabels:
    def test_lengths_have_to_agree(self):
        with pytest.raises(ValueError, match="2, 1, 2"):
            PseudoLabels(np.array([0, 1]), np.array([0.5]), np.ones((2, 3)))

    def test_changed_takes_only_what_is_named(self):
        answers = bare(np.array([0, 1, 2]), np.array([0.1, 0.2, 0.3]))
        other = bare(np.array([2]), np.array([0.9]))
        changed = answers.changed(np.array([False, True, False]), by=other)
        assert changed.labels.tolist() == [0, 2, 2]
        assert changed.confidence.tolist() == [0.1, 0.9, 0.3]
