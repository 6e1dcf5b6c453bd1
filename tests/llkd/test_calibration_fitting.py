"""A fitted calibration finds what made the answers wrong, also where they tie or saturate."""

import numpy as np
import pytest

from llkd.calibration_fitting import contextual, fit, fittable
from llkd.confidence_figures import confidence_figures
from llkd.pseudo_labels import PseudoLabels
from llkd.teacher_calibration import Calibration, Contextual, Isotonic, Temperature
from llkd.types import IntArray
from tests.llkd.answers import bare, boasting, distributions, verbal


def ece(answers: PseudoLabels, gold: IntArray) -> float:
    figures = confidence_figures(answers, gold)
    assert figures is not None
    return figures.ece


def line_of(calibration: Calibration) -> Isotonic:
    assert isinstance(calibration.change, Isotonic)
    return calibration.change


def temperature_of(calibration: Calibration) -> float:
    assert isinstance(calibration.change, Temperature)
    return calibration.change.temperature


class TestTemperature:
    @pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
    def test_it_finds_by_how_much_the_teacher_boasts(self, temperature: float):
        answers, gold = boasting(3000, temperature=temperature)
        calibration = fit("temperature", answers, gold)
        assert temperature_of(calibration) == pytest.approx(temperature, rel=0.1)
        assert ece(calibration.apply(answers), gold) < 0.03

    def test_certain_answers_get_the_confidence_they_earn(self):
        generator = np.random.default_rng(0)
        labels = generator.integers(3, size=1000)
        right = generator.random(1000) < 0.7
        gold = np.where(right, labels, (labels + 1) % 3)
        answers = distributions(np.eye(3)[labels])
        changed = fit("temperature", answers, gold).apply(answers)
        assert changed.confidence == pytest.approx(np.full(1000, right.mean()), abs=0.01)

    def test_one_label_that_is_always_right_leaves_it_finite(self):
        answers = distributions(np.tile([0.7, 0.2, 0.1], (60, 1)))
        calibration = fit("temperature", answers, np.zeros(60, dtype=np.int64))
        assert 0.05 < temperature_of(calibration) < 1

    def test_rows_without_probabilities_are_left_out(self):
        answers, gold = boasting(500)
        blind = answers.probabilities.copy()
        blind[:100] = np.nan
        mixed = PseudoLabels(answers.labels, answers.confidence, blind)
        assert fit("temperature", mixed, gold) == fit(
            "temperature", answers.take(np.arange(100, 500)), gold[100:]
        )

    def test_nothing_known_cannot_be_fitted(self):
        with pytest.raises(ValueError, match="probabilities"):
            fit("temperature", bare(np.array([0]), np.array([0.5])), np.array([0]))


class TestIsotonic:
    def test_each_confidence_becomes_the_share_of_right_labels(self):
        answers, gold = verbal(6000)
        changed = fit("isotonic", answers, gold).apply(answers)
        found = [float(changed.confidence[answers.confidence == c][0]) for c in (0.6, 0.8, 1.0)]
        assert found == pytest.approx([1 / 3, 1 / 2, 2 / 3], abs=0.03)
        assert ece(changed, gold) < 0.001

    def test_a_confidence_that_falls_with_truth_becomes_one_for_all(self):
        labels = np.zeros(600, dtype=np.int64)
        confidence = np.repeat([0.3, 0.6, 0.9], 200)
        gold = np.concatenate([np.arange(200) % 4 == 0, np.arange(200) % 2, np.ones(200)])
        line = line_of(fit("isotonic", bare(labels, confidence), gold.astype(np.int64)))
        assert np.ptp(line.right) == pytest.approx(0)

    @pytest.mark.parametrize("gold", [0, 1])
    def test_nothing_becomes_certain(self, gold: int):
        answers = bare(np.zeros(498, dtype=np.int64), np.linspace(0, 1, 498))
        line = line_of(fit("isotonic", answers, np.full(498, gold)))
        assert set(line.right) == {0.998 if gold == 0 else 0.002}

    def test_a_single_value_is_fitted(self):
        answers = bare(np.zeros(500, dtype=np.int64), np.ones(500))
        line = line_of(fit("isotonic", answers, (np.arange(500) % 4 == 0).astype(np.int64)))
        assert line.given == (1.0,)
        assert line.right == pytest.approx((0.75,))

    def test_nothing_known_cannot_be_fitted(self):
        with pytest.raises(ValueError, match="confidences"):
            fit("isotonic", bare(np.array([0]), np.array([np.nan])), np.array([0]))


class TestFittable:
    def test_the_floors_count_what_the_method_applies_to(self):
        answers, _ = boasting(200)
        assert fittable("isotonic", answers)
        assert not fittable("isotonic", answers.take(np.arange(199)))
        assert fittable("temperature", answers.take(np.arange(50)))
        assert not fittable("temperature", answers.take(np.arange(49)))
        assert not fittable("temperature", bare(answers.labels, answers.confidence))


class TestContextual:
    def test_it_is_the_mean_of_the_answers(self):
        calibration = contextual(np.array([[0.8, 0.2], [0.6, 0.4], [0.7, 0.3]]))
        assert isinstance(calibration.change, Contextual)
        assert calibration.change.content_free == pytest.approx((0.7, 0.3))

    @pytest.mark.parametrize(
        "answers", [np.zeros((0, 2)), np.array([0.5, 0.5]), [[0.5, 0.2]], [[np.nan, 1]], [[-1, 2]]]
    )
    def test_what_is_no_distribution_is_refused(self, answers: list[list[float]]):
        with pytest.raises(ValueError, match="answer"):
            contextual(np.array(answers))
