"""What every selector promises, whatever confidences a teacher gives."""

import json
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from llkd.selection.base import Selector
from llkd.selection.factory import build_selector
from llkd.specs import AllSelection, LlkdSelection, RandomSelection, SelectionSpec
from llkd.types import FloatArray, IntArray

CLASSES = 3
SPECS: list[SelectionSpec] = [
    LlkdSelection(),
    LlkdSelection(momentum=0.9),
    AllSelection(),
    RandomSelection(share=0.5),
]
every_selector = pytest.mark.parametrize("spec", SPECS, ids=repr)

# What real teachers say: each a function of a generator and the labels.
CONFIDENCES: dict[str, Callable[[np.random.Generator, IntArray], FloatArray]] = {
    "spread": lambda generator, labels: generator.uniform(0.4, 1.0, len(labels)),
    "tied": lambda generator, labels: generator.choice([0.6, 0.8, 0.95], len(labels)),
    "saturated": lambda generator, labels: np.ones(len(labels)),
    "constant": lambda generator, labels: np.full(len(labels), 0.9),
    "zero": lambda generator, labels: np.zeros(len(labels)),
    "unknown": lambda generator, labels: np.full(len(labels), np.nan),
    "half_unknown": lambda generator, labels: np.where(
        generator.random(len(labels)) < 0.5, np.nan, 0.8
    ),
    "class_biased": lambda generator, labels: np.array([0.95, 0.6, 0.35])[labels],
}


def build(spec: SelectionSpec, *, seed: int = 7) -> Selector:
    return build_selector(spec, class_count=CLASSES, seed=seed)


def batches(
    count: int, *, kind: str = "spread", size: int = 32
) -> Iterator[tuple[IntArray, FloatArray, FloatArray]]:
    generator = np.random.default_rng(3)
    for _ in range(count):
        labels = generator.integers(0, CLASSES, size)
        yield labels, CONFIDENCES[kind](generator, labels), generator.random(size)


@every_selector
@pytest.mark.parametrize("kind", CONFIDENCES)
class TestSelect:
    def test_shapes_are_the_batch_and_kept_samples_weigh_something(
        self, spec: SelectionSpec, kind: str
    ) -> None:
        selector = build(spec)
        for labels, confidence, uncertainty in batches(5, kind=kind):
            selection = selector.select(labels, confidence, uncertainty)
            assert selection.keep.shape == selection.weights.shape == labels.shape
            assert selection.keep.dtype == np.bool_
            assert np.isfinite(selection.weights).all()
            assert (selection.weights[selection.keep] > 0).all()

    def test_something_is_kept_of_every_class(self, spec: SelectionSpec, kind: str) -> None:
        selector = build(spec)
        kept: set[int] = set()
        for labels, confidence, uncertainty in batches(20, kind=kind):
            keep = selector.select(labels, confidence, uncertainty).keep
            kept.update(labels[keep].tolist())
        assert kept == set(range(CLASSES))

    def test_equal_seeds_select_equally(self, spec: SelectionSpec, kind: str) -> None:
        one, other = build(spec), build(spec)
        for batch in batches(5, kind=kind):
            assert one.select(*batch).keep.tolist() == other.select(*batch).keep.tolist()

    def test_a_restored_selector_goes_on_exactly(self, spec: SelectionSpec, kind: str) -> None:
        one, other = build(spec), build(spec, seed=99)
        for batch in batches(5, kind=kind):
            one.select(*batch)
        other.restore(json.loads(json.dumps(one.state())))
        for batch in batches(8, kind=kind):
            first, second = one.select(*batch), other.select(*batch)
            assert first.keep.tolist() == second.keep.tolist()
            assert first.weights.tolist() == second.weights.tolist()
        assert other.state() == one.state()
        assert other.thresholds() == one.thresholds()


class TestLlkd:
    def test_it_keeps_what_the_teacher_knows_and_the_student_does_not(self) -> None:
        selector = build(LlkdSelection())
        labels = np.zeros(4, dtype=np.int64)
        selection = selector.select(
            labels, np.array([0.9, 0.9, 0.5, 0.5]), np.array([0.8, 0.2, 0.8, 0.2])
        )
        assert selection.keep.tolist() == [True, False, False, False]

    def test_a_weight_is_confidence_times_uncertainty(self) -> None:
        selection = build(LlkdSelection()).select(
            np.array([0, 1]), np.array([0.9, 0.5]), np.array([0.8, 0.4])
        )
        assert selection.weights == pytest.approx([0.72, 0.2])

    def test_thresholds_move_before_the_batch_is_gated(self) -> None:
        selector = build(LlkdSelection(momentum=0.5))
        labels = np.zeros(2, dtype=np.int64)
        selector.select(labels, np.array([1.0, 1.0]), np.array([0.5, 0.5]))
        # .7 is under the old threshold of 1 and over the updated one of .5 + .5 x .35.
        keep = selector.select(labels, np.array([0.7, 0.0]), np.array([0.5, 0.5])).keep
        assert keep.tolist() == [True, False]

    def test_an_unknown_confidence_passes_the_teacher_and_weighs_as_one(self) -> None:
        selector = build(LlkdSelection())
        labels = np.zeros(3, dtype=np.int64)
        selection = selector.select(labels, np.array([np.nan, 0.9, 0.1]), np.array([0.5, 0.5, 0.5]))
        assert selection.keep.tolist() == [True, True, False]
        assert selection.weights[0] == pytest.approx(0.5)

    def test_a_class_the_teacher_is_less_sure_of_has_a_lower_threshold(self) -> None:
        selector = build(LlkdSelection())
        labels = np.array([0, 0, 1, 1, 2, 2])
        confidence = np.array([0.9, 0.9, 0.6, 0.6, 0.3, 0.3])
        selector.select(labels, confidence, np.full(6, 0.5))
        assert selector.thresholds()["teacher"]["by_class"] == pytest.approx([0.6, 0.4, 0.2])

    def test_a_certain_student_still_gives_weights_that_can_be_divided_by(self) -> None:
        selection = build(LlkdSelection()).select(
            np.array([0, 1]), np.array([1.0, 1.0]), np.zeros(2)
        )
        assert selection.keep.all()
        assert selection.weights.sum() > 0

    def test_it_refuses_to_work_without_uncertainty(self) -> None:
        with pytest.raises(ValueError, match="uncertainty"):
            build(LlkdSelection()).select(np.array([0]), np.array([0.9]), np.array([np.nan]))

    def test_ten_empty_batches_move_the_student_threshold_to_the_median(self) -> None:
        selector = build(LlkdSelection(momentum=0.999))
        labels = np.zeros(4, dtype=np.int64)
        confidence = np.full(4, 0.9)
        selector.select(labels, confidence, np.full(4, 0.99))
        certain = np.array([0.01, 0.02, 0.04, 0.05])
        kept = [selector.select(labels, confidence, certain).keep.sum() for _ in range(10)]
        assert kept[:9] == [0] * 9
        assert kept[9] == 2
        assert selector.thresholds()["rescues"] == 1
        assert selector.thresholds()["student"]["level"] == pytest.approx(0.03)

    @given(
        confidence=arrays(np.float64, 8, elements=st.floats(0, 1)),
        uncertainty=arrays(np.float64, 8, elements=st.floats(0, 1)),
        labels=arrays(np.int64, 8, elements=st.integers(0, CLASSES - 1)),
    )
    def test_raising_both_scores_of_a_kept_sample_never_loses_it_in_that_batch(
        self, confidence: FloatArray, uncertainty: FloatArray, labels: IntArray
    ) -> None:
        selector = build(LlkdSelection())
        keep = selector.select(labels, confidence, uncertainty).keep
        thresholds = selector.thresholds()
        by_teacher = np.array(thresholds["teacher"]["by_class"])[labels]
        by_student = np.array(thresholds["student"]["by_class"])[labels]
        clear = (confidence > by_teacher + 1e-6) & (uncertainty > by_student + 1e-6)
        assert keep[clear].all()
        assert not keep[(confidence < by_teacher - 1e-6) | (uncertainty < by_student - 1e-6)].any()


class TestRandom:
    def test_the_share_kept_is_the_share_asked_for(self) -> None:
        selector = build(RandomSelection(share=0.3))
        kept = [selector.select(*batch).keep.mean() for batch in batches(200)]
        assert np.mean(kept) == pytest.approx(0.3, abs=0.02)

    def test_other_seeds_keep_other_samples(self) -> None:
        batch = next(iter(batches(1, size=200)))
        one = build(RandomSelection(share=0.5), seed=1).select(*batch).keep
        assert (
            one.tolist() != build(RandomSelection(share=0.5), seed=2).select(*batch).keep.tolist()
        )


class TestNeedsUncertainty:
    @pytest.mark.parametrize(
        ("spec", "needs"), [(LlkdSelection(), True), (AllSelection(), False)], ids=repr
    )
    def test_only_selectors_that_read_it_cost_a_forward(
        self, spec: SelectionSpec, needs: bool
    ) -> None:
        assert build(spec).needs_uncertainty is needs
