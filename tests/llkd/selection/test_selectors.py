"""What every selector promises, whatever confidences a teacher gives."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from llkd.selection.base import Batch, Selector
from llkd.selection.factory import build_selector, fit_to_pool
from llkd.specs import (
    MAX_EPOCHS,
    AllSelection,
    Candidate,
    ClassConfidenceSelection,
    EncoderSpec,
    FreeMatchSelection,
    LlkdSelection,
    RandomSelection,
    SingleSelection,
    StudentUncertaintySelection,
    TeacherConfidenceSelection,
    TrainingSpec,
)
from llkd.types import BoolArray, FloatArray, IntArray, Pool

CLASSES = 3
SPECS: list[SingleSelection] = [
    LlkdSelection(),
    LlkdSelection(momentum=0.9),
    AllSelection(),
    RandomSelection(share=0.5),
    ClassConfidenceSelection(),
    TeacherConfidenceSelection(),
    StudentUncertaintySelection(),
    FreeMatchSelection(),
    FreeMatchSelection(momentum=0.5),
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


def other_seed(spec: SingleSelection) -> int:
    """Another seed than `build` takes, where the state and not the seed decides what is kept."""
    return 7 if isinstance(spec, ClassConfidenceSelection) else 99


def make_pool(*, kind: str = "spread", size: int = 640) -> Pool:
    generator = np.random.default_rng(3)
    labels = generator.integers(0, CLASSES, size)
    texts = [str(number) for number in range(size)]
    return Pool(texts, labels, CONFIDENCES[kind](generator, labels), CLASSES)


def build(spec: SingleSelection, *, kind: str = "spread", seed: int = 7) -> Selector:
    return build_selector(spec, pool=make_pool(kind=kind), seed=seed)


def batches(count: int, *, kind: str = "spread", size: int = 32) -> Iterator[Batch]:
    pool, generator = make_pool(kind=kind), np.random.default_rng(4)
    for _ in range(count):
        index = generator.choice(len(pool), size, replace=False)
        yield Batch(index, pool.labels[index], pool.confidence[index], generator.random(size))


def one_batch(
    labels: list[int], confidence: Sequence[float], uncertainty: Sequence[float]
) -> Batch:
    return Batch(
        np.arange(len(labels)), np.array(labels), np.array(confidence), np.array(uncertainty)
    )


@every_selector
@pytest.mark.parametrize("kind", CONFIDENCES)
class TestSelect:
    def test_shapes_are_the_batch_and_kept_samples_weigh_something(
        self, spec: SingleSelection, kind: str
    ) -> None:
        selector = build(spec, kind=kind)
        for batch in batches(5, kind=kind):
            selection = selector.select(batch)
            assert selection.keep.shape == selection.weights.shape == batch.labels.shape
            assert selection.keep.dtype == np.bool_
            assert np.isfinite(selection.weights).all()
            assert (selection.weights[selection.keep] > 0).all()

    def test_something_is_kept_of_every_class(self, spec: SingleSelection, kind: str) -> None:
        selector = build(spec, kind=kind)
        kept: set[int] = set()
        for batch in batches(20, kind=kind):
            kept.update(batch.labels[selector.select(batch).keep].tolist())
        assert kept == set(range(CLASSES))

    def test_equal_seeds_select_equally(self, spec: SingleSelection, kind: str) -> None:
        one, other = build(spec, kind=kind), build(spec, kind=kind)
        for batch in batches(5, kind=kind):
            assert one.select(batch).keep.tolist() == other.select(batch).keep.tolist()

    def test_a_restored_selector_goes_on_exactly(self, spec: SingleSelection, kind: str) -> None:
        one, other = build(spec, kind=kind), build(spec, kind=kind, seed=other_seed(spec))
        for batch in batches(5, kind=kind):
            one.select(batch)
        other.restore(json.loads(json.dumps(one.state())))
        for batch in batches(8, kind=kind):
            first, second = one.select(batch), other.select(batch)
            assert first.keep.tolist() == second.keep.tolist()
            assert first.weights.tolist() == second.weights.tolist()
        assert other.state() == one.state()
        assert other.thresholds() == one.thresholds()


class TestLlkd:
    def test_it_keeps_what_the_teacher_knows_and_the_student_does_not(self) -> None:
        batch = one_batch([0] * 4, [0.9, 0.9, 0.5, 0.5], [0.8, 0.2, 0.8, 0.2])
        assert build(LlkdSelection()).select(batch).keep.tolist() == [True, False, False, False]

    def test_a_weight_is_confidence_times_uncertainty(self) -> None:
        selection = build(LlkdSelection()).select(one_batch([0, 1], [0.9, 0.5], [0.8, 0.4]))
        assert selection.weights == pytest.approx([0.72, 0.2])

    def test_thresholds_move_before_the_batch_is_gated(self) -> None:
        selector = build(LlkdSelection(momentum=0.5))
        selector.select(one_batch([0, 0], [1.0, 1.0], [0.5, 0.5]))
        # .7 is under the old threshold of 1 and over the updated one of .5 + .5 x .35.
        keep = selector.select(one_batch([0, 0], [0.7, 0.0], [0.5, 0.5])).keep
        assert keep.tolist() == [True, False]

    def test_an_unknown_confidence_passes_the_teacher_and_weighs_as_one(self) -> None:
        selection = build(LlkdSelection()).select(
            one_batch([0] * 3, [np.nan, 0.9, 0.1], [0.5, 0.5, 0.5])
        )
        assert selection.keep.tolist() == [True, True, False]
        assert selection.weights[0] == pytest.approx(0.5)

    def test_a_class_the_teacher_is_less_sure_of_has_a_lower_threshold(self) -> None:
        selector = build(LlkdSelection())
        selector.select(one_batch([0, 0, 1, 1, 2, 2], [0.9, 0.9, 0.6, 0.6, 0.3, 0.3], [0.5] * 6))
        assert selector.thresholds()["teacher"]["by_class"] == pytest.approx([0.6, 0.4, 0.2])

    def test_a_certain_student_still_gives_weights_that_can_be_divided_by(self) -> None:
        selection = build(LlkdSelection()).select(one_batch([0, 1], [1.0, 1.0], [0.0, 0.0]))
        assert selection.keep.all()
        assert selection.weights.sum() > 0

    @pytest.mark.parametrize("spec", [LlkdSelection(), StudentUncertaintySelection()], ids=repr)
    def test_it_refuses_to_work_without_uncertainty(self, spec: SingleSelection) -> None:
        with pytest.raises(ValueError, match="uncertainty"):
            build(spec).select(one_batch([0], [0.9], [np.nan]))

    def test_ten_empty_batches_move_the_student_threshold_to_the_median(self) -> None:
        selector = build(LlkdSelection(momentum=0.999))
        selector.select(one_batch([0] * 4, [0.9] * 4, [0.99] * 4))
        certain = one_batch([0] * 4, [0.9] * 4, [0.01, 0.02, 0.04, 0.05])
        kept = [selector.select(certain).keep.sum() for _ in range(10)]
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
        keep = selector.select(Batch(np.arange(8), labels, confidence, uncertainty)).keep
        thresholds = selector.thresholds()
        by_teacher = np.array(thresholds["teacher"]["by_class"])[labels]
        by_student = np.array(thresholds["student"]["by_class"])[labels]
        clear = (confidence > by_teacher + 1e-6) & (uncertainty > by_student + 1e-6)
        assert keep[clear].all()
        assert not keep[(confidence < by_teacher - 1e-6) | (uncertainty < by_student - 1e-6)].any()


class TestOneGate:
    BATCH = one_batch([0] * 4, [0.9, 0.9, 0.5, 0.5], [0.8, 0.2, 0.8, 0.2])

    def test_the_teachers_alone_does_not_ask_the_student(self) -> None:
        selection = build(TeacherConfidenceSelection()).select(self.BATCH)
        assert selection.keep.tolist() == [True, True, False, False]
        assert selection.weights.tolist() == [0.9, 0.9, 0.5, 0.5]

    def test_the_students_alone_does_not_ask_the_teacher(self) -> None:
        selection = build(StudentUncertaintySelection()).select(self.BATCH)
        assert selection.keep.tolist() == [True, False, True, False]
        assert selection.weights.tolist() == [0.8, 0.2, 0.8, 0.2]

    def test_llkd_keeps_what_passes_both(self) -> None:
        both = build(TeacherConfidenceSelection()).select(self.BATCH).keep
        both &= build(StudentUncertaintySelection()).select(self.BATCH).keep
        assert build(LlkdSelection()).select(self.BATCH).keep.tolist() == both.tolist()


class TestFreeMatch:
    def test_a_class_with_little_probability_in_all_has_a_low_threshold(self) -> None:
        selector = build(FreeMatchSelection())
        # q: [.8 .1 .1] twice, [.2 .6 .2] once; marginals .6, .8/3, .4/3; level 2.2/3.
        keep = selector.select(one_batch([0, 0, 1], [0.8, 0.8, 0.6], [0.5] * 3)).keep
        level = 2.2 / 3
        assert keep.tolist() == [True, True, True]
        assert selector.thresholds()["teacher"]["level"] == pytest.approx(level)
        assert selector.thresholds()["teacher"]["by_class"] == pytest.approx(
            [level, level * 0.8 / 1.8, level * 0.4 / 1.8]
        )

    def test_an_unknown_confidence_passes_and_moves_nothing(self) -> None:
        selector = build(FreeMatchSelection())
        assert selector.select(one_batch([0], [np.nan], [0.5])).keep.tolist() == [True]
        assert selector.state() == build(FreeMatchSelection()).state()


class TestClassConfidence:
    def kept(self, kind: str, *, share: float = 0.25, seed: int = 7) -> BoolArray:
        pool = make_pool(kind=kind)
        selector = build_selector(ClassConfidenceSelection(share=share), pool=pool, seed=seed)
        index = np.arange(len(pool))
        return selector.select(Batch(index, pool.labels, pool.confidence, pool.confidence)).keep

    @pytest.mark.parametrize("kind", CONFIDENCES)
    def test_each_class_gives_the_same_share_however_confidences_lie(self, kind: str) -> None:
        kept, labels = self.kept(kind), make_pool(kind=kind).labels
        for c in range(CLASSES):
            assert kept[labels == c].sum() == np.ceil(0.25 * (labels == c).sum())

    def test_none_left_out_is_surer_than_one_kept(self) -> None:
        kept, pool = self.kept("spread"), make_pool()
        for c in range(CLASSES):
            of_class = pool.labels == c
            lowest = pool.confidence[of_class & kept].min()
            assert lowest >= pool.confidence[of_class & ~kept].max()

    def test_ties_are_broken_by_the_seed(self) -> None:
        assert self.kept("constant").tolist() == self.kept("constant").tolist()
        assert self.kept("constant").tolist() != self.kept("constant", seed=8).tolist()

    def test_what_is_unknown_comes_last(self) -> None:
        kept, confidence = self.kept("half_unknown"), make_pool(kind="half_unknown").confidence
        assert not np.isnan(confidence[kept]).any()


class TestRandom:
    def test_the_share_kept_is_the_share_asked_for(self) -> None:
        selector = build(RandomSelection(share=0.3))
        kept = [selector.select(batch).keep.mean() for batch in batches(200)]
        assert np.mean(kept) == pytest.approx(0.3, abs=0.02)

    def test_other_seeds_keep_other_samples(self) -> None:
        batch = next(iter(batches(1, size=200)))
        one = build(RandomSelection(share=0.5), seed=1).select(batch).keep
        assert one.tolist() != build(RandomSelection(share=0.5), seed=2).select(batch).keep.tolist()


class TestNeedsUncertainty:
    @pytest.mark.parametrize(
        ("spec", "needs"),
        [(spec, isinstance(spec, LlkdSelection | StudentUncertaintySelection)) for spec in SPECS],
        ids=repr,
    )
    def test_only_selectors_that_read_it_cost_a_forward(
        self, spec: SingleSelection, needs: bool
    ) -> None:
        assert build(spec).needs_uncertainty is needs


class TestFitToPool:
    def pool(self, *confidence: float) -> Pool:
        size = len(confidence)
        return Pool(["text"] * size, np.zeros(size, dtype=np.int64), np.array(confidence), 2)

    def fit(self, selection: SingleSelection, *confidence: float, **training: Any) -> Candidate:
        asked = Candidate(
            student=EncoderSpec(), selection=selection, training=TrainingSpec(**training)
        )
        return fit_to_pool(asked, self.pool(*confidence))

    def test_llkd_that_knows_no_confidence_is_all(self) -> None:
        assert self.fit(LlkdSelection(), np.nan, np.nan).selection == AllSelection()

    def test_with_any_confidence_it_is_what_was_asked(self) -> None:
        asked = LlkdSelection(momentum=0.9)
        assert self.fit(asked, np.nan, 0.8).selection == asked

    def test_a_persons_certainty_is_none_of_the_teachers(self) -> None:
        pool = replace(self.pool(1.0, np.nan), corrected=np.array([True, False]))
        asked = Candidate(student=EncoderSpec(), selection=LlkdSelection(), training=TrainingSpec())
        assert fit_to_pool(asked, pool).selection == AllSelection()

    def test_a_student_gate_that_was_asked_for_stays(self) -> None:
        asked = StudentUncertaintySelection()
        assert self.fit(asked, np.nan).selection == asked

    def test_what_was_bought_lazily_is_all_learned_from_many_times(self) -> None:
        fitted = self.fit(LlkdSelection(labeling="lazy"), 0.8, 0.9)
        assert fitted.selection == AllSelection()
        assert fitted.training.epochs == 8
        assert not fitted.training.early_stopping

    @pytest.mark.parametrize("asked", [{"epochs": 2}, {"max_steps": 50}])
    def test_a_length_that_was_asked_for_stays(self, asked: dict[str, int]) -> None:
        fitted = self.fit(LlkdSelection(labeling="lazy"), 0.8, **asked)
        assert fitted.training.epochs == asked.get("epochs", MAX_EPOCHS)
        assert fitted.training.max_steps == asked.get("max_steps")
