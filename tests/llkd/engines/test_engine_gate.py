"""An engine passes if it answers as the reference; the fastest by a margin is chosen."""

from dataclasses import replace

import numpy as np
import pytest

from llkd.engine_gate import MARGIN, EngineFigures, choose_fastest, judge
from llkd.engine_probe import Probe
from llkd.engines.base import REFERENCE, EngineName
from llkd.types import FloatArray

BF16, INT8, CUDA = EngineName.OPENVINO_BF16, EngineName.OPENVINO_INT8, EngineName.ONNXRUNTIME_CUDA
TEXTS = 1000
LABELS = np.arange(TEXTS) % 2


def probabilities(*, wrong: int = 0) -> FloatArray:
    """Sure of the right label but for the first few."""
    first = np.where(np.arange(TEXTS) < wrong, 1 - LABELS, LABELS)
    return np.where(first[:, None] == np.arange(2), 0.9, 0.1)


def a_probe(alone: FloatArray, *, mixed: FloatArray | None = None, speed: float = 100.0) -> Probe:
    others = alone if mixed is None else mixed
    return Probe(alone.tolist(), others.tolist(), speed, speed, 1000 / speed)


def verdict(found: Probe) -> EngineFigures:
    return judge(BF16, found, a_probe(probabilities()), LABELS)


def figures(engine: EngineName, speed: float, state: str = "passed") -> EngineFigures:
    return EngineFigures(engine, state, texts_per_cpu_second=speed, texts_per_second=speed)  # type: ignore[arg-type]


class TestJudge:
    def test_equal_answers_pass(self):
        found = verdict(a_probe(probabilities(), speed=200.0))
        assert (found.state, found.reason) == ("passed", None)
        assert (found.agreement, found.accuracy, found.batch_flips) == (1.0, 1.0, 0)
        assert (found.texts_per_cpu_second, found.p50_ms) == (200.0, 5.0)

    def test_the_reference_is_not_refused_for_its_own_figures(self):
        reference = a_probe(probabilities(wrong=400))
        found = judge(REFERENCE, reference, reference, LABELS)
        assert (found.state, found.accuracy) == ("reference", 0.6)

    def test_too_many_other_labels_fail(self):
        found = verdict(a_probe(probabilities(wrong=11)))
        assert found.state == "failed"
        assert "agrees with the reference on 98.90%" in (found.reason or "")

    def test_three_points_of_a_thousand_may_be_lost_and_four_not(self):
        assert verdict(a_probe(probabilities(wrong=3))).state == "passed"
        lost = verdict(a_probe(probabilities(wrong=4)))
        assert (lost.state, lost.agreement) == ("failed", 0.996)
        assert "0.40 points of accuracy" in (lost.reason or "")

    def test_other_labels_that_are_right_as_often_pass(self):
        reference = a_probe(probabilities(wrong=5))
        found = probabilities(wrong=5)
        found[:5], found[5:10] = found[:5, ::-1].copy(), found[5:10, ::-1].copy()
        assert judge(BF16, a_probe(found), reference, LABELS).state == "passed"

    def test_a_label_that_depends_on_the_neighbours_fails(self):
        found = verdict(a_probe(probabilities(), mixed=probabilities(wrong=1)))
        assert "labels of 1 texts depend on their neighbours" in (found.reason or "")

    @pytest.mark.parametrize(("moved", "state"), [(0.009, "passed"), (0.011, "failed")])
    def test_neighbours_may_move_a_probability_by_a_hundredth(self, moved, state):
        mixed = probabilities()
        mixed[7] += (moved, -moved)
        assert verdict(a_probe(probabilities(), mixed=mixed)).state == state

    @pytest.mark.parametrize(
        ("broken", "reason"),
        [
            (np.full((TEXTS, 2), np.nan), "not finite"),
            (np.full((TEXTS, 3), 1 / 3), "it answers"),
            (np.full((3, 2), 0.5), "it answers"),
        ],
    )
    def test_what_is_no_answer_fails(self, broken, reason):
        found = verdict(a_probe(broken))
        assert found.state == "failed"
        assert reason in (found.reason or "")


class TestChooseFastest:
    REFERENCE = figures(REFERENCE, 100.0, "reference")

    def test_the_fastest_that_passed_wins(self):
        found = [figures(INT8, 300.0), figures(BF16, 200.0), self.REFERENCE]
        assert choose_fastest(found, cores=1) is INT8

    def test_a_slow_one_loses(self):
        assert choose_fastest([self.REFERENCE, figures(BF16, 50.0)], cores=1) is REFERENCE

    def test_one_that_failed_is_not_served_however_fast(self):
        found = [self.REFERENCE, figures(BF16, 900.0, "failed"), EngineFigures(INT8, "absent")]
        assert choose_fastest(found, cores=1) is REFERENCE

    def test_within_the_margin_the_more_exact_one_wins(self):
        noise = 100.0 * MARGIN - 1
        assert choose_fastest([self.REFERENCE, figures(BF16, noise)], cores=1) is REFERENCE
        found = [self.REFERENCE, figures(BF16, 200.0), figures(INT8, 2 * noise)]
        assert choose_fastest(found, cores=1) is BF16

    def test_a_gpu_is_held_against_all_cores(self):
        gpu = replace(figures(CUDA, 1.0), texts_per_second=500.0)
        assert choose_fastest([self.REFERENCE, gpu], cores=4) is CUDA
        assert choose_fastest([self.REFERENCE, gpu], cores=8) is REFERENCE
