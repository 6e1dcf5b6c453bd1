"""A forecast rises with the answers where there is more to learn, and covers what comes."""

import numpy as np
import pytest

from llkd.estimated_confidence import fit_and_predict
from llkd.learning_curve import Measuring, forecast
from llkd.types import FloatArray, IntArray

CLASSES = 4


def make_world(size: int, *, noise: float, seed: int) -> tuple[FloatArray, IntArray]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, CLASSES, size)
    vectors = np.eye(CLASSES, 64)[labels] + noise * generator.normal(size=(size, 64))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), labels


@pytest.mark.parametrize("noise", [0.2, 0.35])
def test_the_interval_holds_what_ten_times_the_answers_bring(noise: float) -> None:
    vectors, labels = make_world(4000, noise=noise, seed=0)
    measuring = Measuring(*make_world(1000, noise=noise, seed=1))
    few, many = forecast(
        vectors[:300],
        labels[:300],
        class_count=CLASSES,
        measuring=measuring,
        answers=[300, 4000],
        seed=1,
    )
    predicted = fit_and_predict(vectors, labels, measuring.vectors, CLASSES).argmax(axis=1)
    actual = (predicted == measuring.labels).mean()
    assert many.low <= actual <= many.high
    assert many.value >= few.value
    assert many.high - many.low < 0.35


def test_without_gold_a_third_of_the_answers_measure() -> None:
    vectors, labels = make_world(300, noise=0.1, seed=0)
    (point,) = forecast(
        vectors, labels, class_count=CLASSES, measuring=None, answers=[3000], seed=1
    )
    assert point.value > 0.9
    assert point.high == 1.0


def test_labels_by_lot_promise_nothing() -> None:
    vectors, _ = make_world(300, noise=0.3, seed=0)
    labels = np.random.default_rng(3).integers(0, CLASSES, 300)
    (point,) = forecast(
        vectors, labels, class_count=CLASSES, measuring=None, answers=[10_000], seed=1
    )
    assert point.value < 0.5


def test_of_very_few_answers_the_curve_goes_on_level() -> None:
    vectors, labels = make_world(50, noise=0.3, seed=0)
    measuring = Measuring(*make_world(200, noise=0.3, seed=1))
    now, then = forecast(
        vectors, labels, class_count=CLASSES, measuring=measuring, answers=[50, 5000], seed=1
    )
    assert (now.value, now.low) == (then.value, then.low)


def test_equal_seeds_forecast_equally() -> None:
    vectors, labels = make_world(200, noise=0.3, seed=0)
    one, other = (
        forecast(vectors, labels, class_count=CLASSES, measuring=None, answers=[900], seed=5)
        for _ in range(2)
    )
    assert one == other
