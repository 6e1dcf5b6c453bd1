"""A batch falls into four parts, and LLKD keeps one of them."""

import numpy as np
import pytest

from llkd.selection.adaptive_gates import STARVED_AFTER, DualGate
from llkd.selection.base import Batch, Selector
from llkd.selection.every import Every
from llkd.selection.freematch import FreeMatch
from llkd.selection.quadrants import Quadrants, Thresholds
from llkd.types import FloatArray

UNKNOWN = float("nan")


def make_batch(
    confidence: list[float], uncertainty: list[float], labels: list[int] | None = None
) -> Batch:
    index = np.arange(len(confidence))
    return Batch(
        index,
        np.array(labels or [0] * len(index)),
        np.array(confidence),
        np.array(uncertainty),
    )


def random_batch(seed: int, *, unknown: float = 0.0) -> Batch:
    generator = np.random.default_rng(seed)
    confidence: FloatArray = generator.uniform(0.3, 1.0, 64)
    confidence[generator.random(64) < unknown] = UNKNOWN
    return Batch(
        np.arange(64), generator.integers(3, size=64), confidence, generator.uniform(0, 1, 64)
    )


def seen_by(selector: Selector, batch: Batch) -> Quadrants:
    return Quadrants.of(batch, Thresholds.of(selector.thresholds()))


class TestQuadrants:
    def test_each_text_counts_once_by_both_thresholds(self) -> None:
        batch = make_batch([0.9, 0.9, 0.1, 0.1, 0.1], [0.8, 0.2, 0.8, 0.2, 0.2])
        both = Thresholds(confidence=np.array([0.5]), uncertainty=np.array([0.5]))
        assert Quadrants.of(batch, both) == Quadrants(1, 1, 1, 2)

    def test_a_text_is_held_against_the_thresholds_of_its_own_label(self) -> None:
        batch = make_batch([0.6, 0.6], [0.6, 0.6], labels=[0, 1])
        by_label = Thresholds(np.array([0.5, 0.7]), np.array([0.7, 0.5]))
        found = Quadrants.of(batch, by_label)
        assert (found.confident_certain, found.doubtful_uncertain) == (1, 1)

    def test_what_nothing_asks_for_holds_no_text_back(self) -> None:
        batch = make_batch([0.1, UNKNOWN], [UNKNOWN, UNKNOWN])
        assert seen_by(Every(), batch) == Quadrants(2, 0, 0, 0)

    def test_an_unknown_confidence_is_not_a_low_one(self) -> None:
        batch = make_batch([UNKNOWN, 0.1], [0.9, 0.9])
        both = Thresholds(np.array([0.5]), np.array([0.5]))
        assert Quadrants.of(batch, both) == Quadrants(1, 0, 1, 0)

    @pytest.mark.parametrize("unknown", [0.0, 0.2])
    def test_llkd_keeps_exactly_the_confident_and_uncertain(self, unknown: float) -> None:
        gate = DualGate(3, momentum=None)
        for seed in range(20):
            batch = random_batch(seed, unknown=unknown)
            kept = gate.select(batch).keep
            assert seen_by(gate, batch).confident_uncertain == kept.sum()

    def test_so_it_does_in_the_batch_that_rescues_a_starved_selection(self) -> None:
        gate = DualGate(1, momentum=1.0)
        gate.select(make_batch([0.9] * 4, [0.9] * 4))
        for _ in range(STARVED_AFTER):
            batch = make_batch([0.9] * 4, [0.1, 0.2, 0.3, 0.4])
            kept = gate.select(batch).keep
            assert seen_by(gate, batch).confident_uncertain == kept.sum()
        assert kept.any()

    def test_a_teachers_threshold_alone_leaves_nothing_certain(self) -> None:
        gate = FreeMatch(3, momentum=None)
        batch = random_batch(1)
        kept = gate.select(batch).keep
        found = seen_by(gate, batch)
        assert found == Quadrants(int(kept.sum()), 0, int((~kept).sum()), 0)
