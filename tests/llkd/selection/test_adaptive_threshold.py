"""The formula, by hand."""

import json

import numpy as np
import pytest

from llkd.selection.adaptive_threshold import AdaptiveThreshold


def observe(threshold: AdaptiveThreshold, labels: list[int], values: list[float]) -> None:
    threshold.observe(np.array(labels), np.array(values))


class TestObserve:
    def test_the_first_batch_initialises_the_level_with_its_mean(self) -> None:
        threshold = AdaptiveThreshold(2, momentum=0.9)
        observe(threshold, [0, 0, 1, 1], [0.9, 0.7, 0.4, 0.2])
        assert threshold.report()["level"] == pytest.approx(0.55)

    def test_later_batches_are_blended_in_by_the_momentum(self) -> None:
        threshold = AdaptiveThreshold(2, momentum=0.9)
        observe(threshold, [0, 1], [0.8, 0.6])
        observe(threshold, [0, 1], [0.4, 0.2])
        # .9 x .7 + .1 x .3; class 0: .9 x .8 + .1 x .4, class 1: .9 x .6 + .1 x .2
        assert threshold.report()["level"] == pytest.approx(0.66)
        assert threshold.by_class() == pytest.approx([0.66, 0.66 * 0.56 / 0.76])

    def test_without_a_momentum_memory_grows_with_the_batches(self) -> None:
        threshold = AdaptiveThreshold(2, momentum=None)
        observe(threshold, [0, 1], [1.0, 1.0])
        observe(threshold, [0, 1], [0.0, 0.0])
        # Second batch: t = 1, so 2/11 of the old stays.
        assert threshold.report()["level"] == pytest.approx(2 / 11)
        observe(threshold, [0, 1], [1.0, 1.0])
        assert threshold.report()["level"] == pytest.approx(3 / 12 * 2 / 11 + 9 / 12)

    def test_a_class_outside_the_batch_does_not_move(self) -> None:
        threshold = AdaptiveThreshold(3, momentum=0.5)
        observe(threshold, [0, 1, 2], [0.9, 0.6, 0.3])
        observe(threshold, [0], [0.5])
        # level: .5 x .6 + .5 x .5; class levels .7, .6, .3
        assert threshold.by_class() == pytest.approx([0.55, 0.55 * 6 / 7, 0.55 * 3 / 7])

    def test_a_class_never_seen_has_the_level_and_lowers_no_other(self) -> None:
        threshold = AdaptiveThreshold(3, momentum=0.5)
        observe(threshold, [0, 0, 1, 1], [0.5, 0.7, 0.2, 0.4])
        assert threshold.by_class() == pytest.approx([0.45, 0.45 * 0.3 / 0.6, 0.45])

    def test_a_class_starts_at_its_first_mean_however_late_it_comes(self) -> None:
        threshold = AdaptiveThreshold(2, momentum=0.9)
        observe(threshold, [0, 0], [0.5, 0.5])
        observe(threshold, [0, 1], [0.5, 1.0])
        # level: .9 x .5 + .1 x .75; class levels .5 and 1
        assert threshold.by_class() == pytest.approx([0.525 * 0.5, 0.525])

    def test_a_class_of_a_few_texts_does_not_lower_the_others(self) -> None:
        threshold = AdaptiveThreshold(3, momentum=0.5)
        labels = [0] * 12 + [1] * 7 + [2]
        observe(threshold, labels, [0.4] * 12 + [0.2] * 7 + [1.0])
        level = (12 * 0.4 + 7 * 0.2 + 1.0) / 20
        assert threshold.by_class() == pytest.approx([level, level / 2, level])

    def test_a_class_of_a_tenth_of_the_texts_does(self) -> None:
        threshold = AdaptiveThreshold(3, momentum=0.5)
        observe(threshold, [0] * 12 + [1] * 6 + [2] * 2, [0.4] * 12 + [0.2] * 6 + [1.0] * 2)
        level = (12 * 0.4 + 6 * 0.2 + 2 * 1.0) / 20
        assert threshold.by_class() == pytest.approx([0.4 * level, 0.2 * level, level])

    def test_unknown_values_move_nothing(self) -> None:
        threshold = AdaptiveThreshold(2, momentum=0.5)
        observe(threshold, [0, 1], [0.8, 0.4])
        before = threshold.state()
        observe(threshold, [0, 1], [np.nan, np.nan])
        assert threshold.state() == before

    def test_known_values_count_beside_unknown_ones(self) -> None:
        threshold = AdaptiveThreshold(2, momentum=0.5)
        observe(threshold, [0, 0, 1], [0.8, np.nan, 0.4])
        assert threshold.report()["level"] == pytest.approx(0.6)
        assert threshold.by_class() == pytest.approx([0.6, 0.3])

    def test_all_zero_values_give_zero_thresholds_and_not_nan(self) -> None:
        threshold = AdaptiveThreshold(2, momentum=0.5)
        observe(threshold, [0, 1], [0.0, 0.0])
        assert threshold.by_class().tolist() == [0.0, 0.0]


class TestReached:
    @pytest.mark.parametrize("value", [0.0, 0.1, 0.3, 1 / 3, 0.9, 1.0])
    @pytest.mark.parametrize("size", [3, 7, 32])
    def test_a_constant_signal_always_reaches_its_own_mean(self, value: float, size: int) -> None:
        threshold = AdaptiveThreshold(2, momentum=None)
        labels = np.arange(size) % 2
        for _ in range(50):
            threshold.observe(labels, np.full(size, value))
            assert threshold.reached(labels, np.full(size, value)).all()

    def test_the_threshold_itself_is_enough_and_less_is_not(self) -> None:
        threshold = AdaptiveThreshold(2, momentum=0.5)
        observe(threshold, [0, 1], [0.5, 0.5])
        reached = threshold.reached(np.array([0, 0]), np.array([0.5, 0.499]))
        assert reached.tolist() == [True, False]


class TestRestore:
    def test_a_restored_threshold_goes_on_exactly(self) -> None:
        generator = np.random.default_rng(0)
        threshold = AdaptiveThreshold(4, momentum=None)
        for _ in range(7):
            threshold.observe(generator.integers(0, 4, 16), generator.random(16))
        copy = AdaptiveThreshold(4, momentum=None)
        copy.restore(json.loads(json.dumps(threshold.state())))
        labels, values = generator.integers(0, 4, 16), generator.random(16)
        threshold.observe(labels, values)
        copy.observe(labels, values)
        assert copy.state() == threshold.state()
