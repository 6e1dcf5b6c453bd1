"""By how much two students differ on the same rows."""

import numpy as np
import pytest

from llkd.bootstrap import ConfusionCells, accuracy_and_macro_f1, paired_differences


def answers(rows: int, *, right: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Gold of three classes, and answers that are right this often."""
    generator = np.random.default_rng(seed)
    gold = np.arange(rows) % 3
    wrong = generator.random(rows) >= right
    return gold, np.where(wrong, (gold + 1) % 3, gold)


def score(gold: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
    cells = ConfusionCells(gold, predicted, np.ones(len(gold), dtype=np.int64), 3)
    accuracy, f1 = accuracy_and_macro_f1(cells, seed=0, resamples=10)
    return accuracy.value, f1.value


class TestPairedDifferences:
    def test_they_are_the_second_less_the_first(self):
        gold, first = answers(300, right=0.7, seed=1)
        _, second = answers(300, right=0.9, seed=2)
        accuracy, f1 = paired_differences(gold, first, second, class_count=3, seed=0)
        before, after = score(gold, first), score(gold, second)
        assert accuracy.value == pytest.approx(after[0] - before[0])
        assert f1.value == pytest.approx(after[1] - before[1])
        assert 0 < accuracy.low < accuracy.value < accuracy.high
        assert 0 < f1.low < f1.value < f1.high

    def test_the_same_answers_differ_by_nothing(self):
        gold, first = answers(300, right=0.7, seed=1)
        for found in paired_differences(gold, first, first.copy(), class_count=3, seed=0):
            assert (found.value, found.low, found.high) == (0, 0, 0)

    def test_what_is_hard_for_both_does_not_widen_them(self):
        """Where one differs from the other in a few rows, the interval is as narrow as these."""
        gold, first = answers(1000, right=0.6, seed=1)
        second = first.copy()
        fixed = np.flatnonzero(first != gold)[:20]
        second[fixed] = gold[fixed]
        accuracy, _ = paired_differences(gold, first, second, class_count=3, seed=0)
        assert accuracy.value == pytest.approx(0.02)
        # Binomial: 20 of 1000, give or take 1.96 standard errors.
        assert accuracy.low == pytest.approx(0.02 - 1.96 * 0.00443, abs=0.002)
        assert accuracy.high == pytest.approx(0.02 + 1.96 * 0.00443, abs=0.002)

    def test_equal_seeds_draw_equally(self):
        gold, first = answers(300, right=0.7, seed=1)
        _, second = answers(300, right=0.8, seed=2)
        found = [paired_differences(gold, first, second, class_count=3, seed=4) for _ in range(2)]
        assert found[0] == found[1]
