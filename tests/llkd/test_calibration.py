"""A fitted temperature tells the truth; with little to go by it stays near the usual one."""

import numpy as np
import pytest

from llkd.calibration import fit_temperature, log_loss, softmax
from llkd.types import FloatArray, IntArray


def answers(rows: int, *, sharpness: float) -> tuple[FloatArray, IntArray]:
    """Logits `sharpness` times as sure as they should be, with labels drawn from the truth."""
    generator = np.random.default_rng(0)
    truth = generator.normal(size=(rows, 4)) * 2
    labels = np.array([generator.choice(4, p=row) for row in softmax(truth)])
    return truth * sharpness, labels


class TestSoftmax:
    def test_rows_sum_to_one_however_large_the_logits(self):
        rows = softmax(np.array([[1e4, 0.0], [-1e4, -1e4]]))
        assert rows.tolist() == [[1.0, 0.0], [0.5, 0.5]]

    @pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
    def test_a_temperature_is_above_zero(self, temperature):
        with pytest.raises(ValueError, match="above 0"):
            softmax(np.zeros((1, 2)), temperature=temperature)


class TestLogLoss:
    def test_it_is_the_mean_of_minus_log_probability(self):
        logits = np.log(np.array([[0.5, 0.5], [0.9, 0.1]]))
        expected = -(np.log(0.5) + np.log(0.1)) / 2
        assert log_loss(logits, np.array([0, 1]), temperature=1.0) == pytest.approx(expected)


class TestFitTemperature:
    @pytest.mark.parametrize("sharpness", [0.25, 1.0, 5.0])
    def test_on_many_texts_it_undoes_what_is_too_sure_or_too_shy(self, sharpness):
        logits, labels = answers(4000, sharpness=sharpness)
        assert fit_temperature(logits, labels, expected=1.0) == pytest.approx(sharpness, rel=0.08)

    def test_it_lowers_the_loss(self):
        logits, labels = answers(500, sharpness=3.0)
        found = fit_temperature(logits, labels, expected=1.0)
        best = log_loss(logits, labels, temperature=found)
        assert best < log_loss(logits, labels, temperature=1.0)
        assert best < log_loss(logits, labels, temperature=found * 1.2)
        assert best < log_loss(logits, labels, temperature=found / 1.2)

    def test_a_dozen_right_answers_are_no_certainty(self):
        labels = np.arange(12) % 3
        found = fit_temperature(np.eye(3)[labels] * 2, labels, expected=0.5)
        assert 0.1 < found < 0.5

    def test_a_dozen_wrong_answers_are_no_proof_of_ignorance(self):
        labels = np.arange(12) % 3
        found = fit_temperature(np.eye(3)[(labels + 1) % 3] * 2, labels, expected=0.5)
        assert 0.5 < found < 50

    def test_without_a_text_it_is_the_expected_one(self):
        none = np.zeros(0, dtype=np.int64)
        assert fit_temperature(np.zeros((0, 3)), none, expected=0.5) == 0.5
