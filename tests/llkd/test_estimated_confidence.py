"""A cheap model tells likely pseudo-labels from unlikely ones, and says how well it can."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from llkd.estimated_confidence import (
    ConfidenceEstimate,
    Used,
    choose_confidence,
    estimate_confidence,
    read_confidence,
)
from llkd.types import FloatArray, IntArray, Pool

CLASSES = 3


def make_vectors(count: int, *, spread: float = 0.4) -> tuple[FloatArray, IntArray]:
    """Unit vectors around one direction a class, and their true classes."""
    generator = np.random.default_rng(1)
    truth = generator.integers(0, CLASSES, count)
    vectors = np.eye(8)[truth] + spread * generator.standard_normal((count, 8))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), truth


def make_pool(labels: IntArray, confidence: FloatArray | None = None) -> Pool:
    unknown = np.full(len(labels), np.nan)
    texts = [str(number) for number in range(len(labels))]
    return Pool(texts, labels, unknown if confidence is None else confidence, CLASSES)


def with_mistakes(truth: IntArray, share: float) -> tuple[IntArray, IntArray]:
    """Labels of which a share is wrong, and the places of these."""
    wrong = np.random.default_rng(2).permutation(len(truth))[: round(share * len(truth))]
    labels = truth.copy()
    labels[wrong] = (labels[wrong] + 1) % CLASSES
    return labels, wrong


class TestEstimate:
    def test_wrong_labels_are_less_likely_than_right_ones(self) -> None:
        vectors, truth = make_vectors(600)
        labels, wrong = with_mistakes(truth, 0.2)
        values = estimate_confidence(vectors, make_pool(labels), seed=3).values
        assert ((values >= 0) & (values <= 1)).all()
        is_wrong = np.isin(np.arange(600), wrong)
        right_beats_wrong = values[~is_wrong][:, None] > values[is_wrong][None, :]
        assert right_beats_wrong.mean() > 0.9

    def test_a_text_never_judges_itself(self) -> None:
        vectors, truth = make_vectors(400, spread=0.01)
        lone = truth.copy()
        lone[0] = (truth[0] + 1) % CLASSES
        alone = estimate_confidence(vectors, make_pool(lone), seed=3).values[0]
        assert alone < 0.1

    def test_skill_is_high_for_labels_that_follow_the_text(self) -> None:
        vectors, truth = make_vectors(600, spread=0.1)
        assert estimate_confidence(vectors, make_pool(truth), seed=3).skill > 0.95

    def test_skill_is_none_for_labels_by_lot(self) -> None:
        vectors, _ = make_vectors(600)
        labels = np.random.default_rng(5).integers(0, CLASSES, 600)
        assert estimate_confidence(vectors, make_pool(labels), seed=3).skill < 0.1

    def test_agreement_is_of_ranks_within_a_class(self) -> None:
        vectors, truth = make_vectors(600)
        labels, _ = with_mistakes(truth, 0.2)
        blind = estimate_confidence(vectors, make_pool(labels), seed=3)
        assert blind.agreement is None
        # Classes apart by a constant, ranks within each those of the estimate.
        alike = np.clip(blind.values**3 / 2 + labels / 6, 0, 1)
        assert estimate_confidence(
            vectors, make_pool(labels, alike), seed=3
        ).agreement == pytest.approx(1, abs=1e-3)
        noise = np.random.default_rng(6).random(600)
        agreement = estimate_confidence(vectors, make_pool(labels, noise), seed=3).agreement
        assert agreement == pytest.approx(0, abs=0.15)

    def test_constant_confidences_have_no_ranks(self) -> None:
        vectors, truth = make_vectors(200)
        pool = make_pool(truth, np.full(200, 0.9))
        assert estimate_confidence(vectors, pool, seed=3).agreement is None

    def test_equal_seeds_estimate_equally(self) -> None:
        vectors, truth = make_vectors(200)
        one, same, other = (
            estimate_confidence(vectors, make_pool(truth), seed=seed).values for seed in (3, 3, 4)
        )
        assert np.array_equal(one, same)
        assert not np.array_equal(one, other)

    @pytest.mark.parametrize("rare", [0, 1, 2])
    def test_a_class_too_rare_for_every_fold_is_unlikely_and_no_error(self, rare: int) -> None:
        vectors, truth = make_vectors(100)
        labels = np.where(truth == 2, 0, truth)
        labels[:rare] = 2
        values = estimate_confidence(vectors, make_pool(labels), seed=3).values
        assert np.isfinite(values).all()
        assert (values[:rare] < 0.5).all()


class TestChoose:
    def choose(self, confidence: float, *, skill: float, agreement: float | None) -> str:
        pool = make_pool(np.zeros(10, dtype=np.int64), np.full(10, confidence))
        return choose_confidence(
            pool, ConfidenceEstimate(np.ones(10), pool.labels, np.ones(10), skill, agreement)
        )

    def test_what_agrees_is_taken_with_an_estimate_that_has_skill(self) -> None:
        assert self.choose(0.8, skill=0.3, agreement=0.1) == "both"
        assert self.choose(0.8, skill=0.29, agreement=0.1) == "given"

    def test_noise_gives_way_to_an_estimate_with_skill(self) -> None:
        assert self.choose(0.8, skill=0.3, agreement=0.05) == "estimated"
        assert self.choose(0.8, skill=0.29, agreement=0.05) == "none"

    def test_what_is_unknown_or_always_the_same_is_estimated(self) -> None:
        assert self.choose(float("nan"), skill=0.5, agreement=None) == "estimated"
        assert self.choose(1.0, skill=0.5, agreement=None) == "estimated"
        assert self.choose(1.0, skill=0.0, agreement=None) == "none"


class TestRead:
    given = np.array([0.9, 0.4, np.nan])
    estimated = np.array([0.5, 0.8, 0.3])

    @pytest.mark.parametrize(
        ("used", "expected"),
        [
            ("given", [0.9, 0.4, np.nan]),
            ("estimated", [0.5, 0.8, 0.3]),
            ("both", [0.7, 0.6, 0.3]),
            ("none", [np.nan] * 3),
        ],
    )
    def test_it_is_what_was_chosen(self, used: Used, expected: list[float]) -> None:
        found = read_confidence(used, self.given, self.estimated)
        assert found == pytest.approx(np.array(expected), nan_ok=True)

    def test_both_tell_right_from_wrong_better_than_either(self) -> None:
        """A teacher and a model of its other answers err on different texts."""
        generator = np.random.default_rng(0)
        right = generator.random(4000) < 0.7
        given, estimated = (
            np.clip(0.5 + 0.15 * right + generator.normal(0, 0.2, 4000), 0, 1) for _ in range(2)
        )
        both = read_confidence("both", given, estimated)
        scores = [roc_auc_score(right, values) for values in (given, estimated, both)]
        assert scores[2] > max(scores[:2]) + 0.05
