"""Answers are compared with those at validation: a known index, a window that moves."""

import math

import numpy as np
import pytest

from llkd.drift import (
    LEAST_TEXTS,
    SCORE_BINS,
    WINDOW,
    Reference,
    RollingAnswers,
    population_stability,
)


def answers(share: float, *, texts: int) -> np.ndarray:
    """Two labels at .85 each, the first in this share of the texts."""
    first = round(share * texts)
    return np.vstack([np.tile([0.85, 0.15], (first, 1)), np.tile([0.15, 0.85], (texts - first, 1))])


class TestPopulationStability:
    def test_equal_shares_have_none(self):
        assert population_stability(np.array([0.2, 0.8]), np.array([200, 800]), texts=1000) == 0

    def test_a_known_value(self):
        # (.6 - .5) ln(.6 / .5) + (.4 - .5) ln(.4 / .5)
        expected = 0.1 * math.log(1.2) - 0.1 * math.log(0.8)
        found = population_stability(np.array([0.5, 0.5]), np.array([600, 400]), texts=1000)
        assert found == pytest.approx(expected)

    def test_an_empty_bin_is_a_large_drift_and_no_infinity(self):
        found = population_stability(np.array([0.5, 0.5]), np.array([1000, 0]), texts=1000)
        assert 1 < found < math.inf

    def test_few_texts_say_nothing(self):
        counts = np.array([LEAST_TEXTS - 1, 0])
        assert math.isnan(population_stability(np.array([0.5, 0.5]), counts, texts=LEAST_TEXTS - 1))


def reference_of(probabilities):
    best, labels = probabilities.max(axis=1), probabilities.argmax(axis=1)
    return Reference.of(best, labels, class_count=probabilities.shape[1])


class TestReference:
    def test_shares_sum_to_one(self):
        reference = reference_of(answers(0.25, texts=40))
        assert reference.labels.tolist() == [0.25, 0.75]
        assert reference.scores.shape == (SCORE_BINS,)
        assert reference.scores[8] == 1

    def test_a_score_of_one_is_in_the_last_bin(self):
        assert reference_of(np.array([[1.0, 0.0]])).scores[SCORE_BINS - 1] == 1

    def test_there_is_none_without_texts(self):
        with pytest.raises(ValueError, match="texts"):
            Reference.of(np.zeros(0), np.zeros(0, dtype=np.int64), class_count=2)


class TestRollingAnswers:
    def test_the_same_answers_are_no_drift(self):
        rolling = RollingAnswers(2)
        rolling.count(answers(0.5, texts=1000))
        reference = reference_of(answers(0.5, texts=40))
        assert rolling.label_drift(reference) == pytest.approx(0)
        assert rolling.score_drift(reference) == pytest.approx(0)

    def test_other_labels_and_other_scores_are_told_apart(self):
        reference = reference_of(answers(0.5, texts=40))
        labels, scores = RollingAnswers(2), RollingAnswers(2)
        labels.count(answers(0.9, texts=1000))
        scores.count(np.tile([[0.55, 0.45], [0.45, 0.55]], (500, 1)))
        assert labels.label_drift(reference) > 0.25
        assert labels.score_drift(reference) == pytest.approx(0)
        assert scores.label_drift(reference) == pytest.approx(0)
        assert scores.score_drift(reference) > 0.25

    def test_what_was_long_ago_is_forgotten(self):
        rolling = RollingAnswers(2)
        rolling.count(answers(0.0, texts=WINDOW))
        for _ in range(WINDOW // 100):
            rolling.count(answers(0.5, texts=100))
        assert rolling.label_drift(reference_of(answers(0.5, texts=40))) == pytest.approx(0)
