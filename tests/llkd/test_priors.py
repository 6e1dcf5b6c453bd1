"""The prior of a pool is found without gold, and answers follow it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llkd.priors import correct, estimate_prior, tell_the_prior
from llkd.types import FloatArray, IntArray

EVEN = np.full(3, 1 / 3)


def make_answers(
    truth: FloatArray, *, size: int = 4000, seed: int = 0
) -> tuple[FloatArray, IntArray]:
    """Calibrated answers of a teacher that learned from even classes, and the gold labels."""
    generator = np.random.default_rng(seed)
    gold = generator.choice(len(truth), size, p=truth)
    signal = generator.normal(size=(size, len(truth))) + 1.5 * np.eye(len(truth))[gold]
    likelihood = np.exp(1.5 * signal)
    return likelihood / likelihood.sum(axis=1, keepdims=True), gold


class TestEstimate:
    @pytest.mark.parametrize("truth", [[0.8, 0.15, 0.05], [0.34, 0.33, 0.33], [0.05, 0.05, 0.9]])
    def test_it_finds_how_often_each_label_occurs(self, truth: list[float]) -> None:
        answers, _ = make_answers(np.array(truth))
        prior = estimate_prior(answers, EVEN)
        assert prior == pytest.approx(truth, abs=0.12)
        said = np.bincount(answers.argmax(axis=1), minlength=3) / len(answers)
        assert np.abs(prior - truth).max() <= 0.7 * np.abs(said - truth).max() + 0.01

    def test_answers_that_follow_it_are_right_more_often(self) -> None:
        answers, gold = make_answers(np.array([0.85, 0.1, 0.05]))
        corrected = correct(answers, prior=estimate_prior(answers, EVEN), reference=EVEN)
        before = (answers.argmax(axis=1) == gold).mean()
        assert (corrected.argmax(axis=1) == gold).mean() > before + 0.03

    def test_a_label_that_does_not_occur_can_still_be_given(self) -> None:
        answers, _ = make_answers(np.array([0.7, 0.3, 0.0]))
        prior = estimate_prior(answers, EVEN)
        assert 0.1 / 3 / 1.1 <= prior[2] < 0.08

    def test_of_a_few_texts_the_reference_remains(self) -> None:
        answers, _ = make_answers(np.array([1.0, 0.0, 0.0]), size=3)
        prior = estimate_prior(answers, EVEN)
        assert prior[1:].min() > 0.25

    @pytest.mark.parametrize(("size", "held"), [(1000, 100), (100, 30)])
    def test_the_reference_counts_as_a_tenth_of_the_answers_and_at_least_thirty(
        self, size: int, held: int
    ) -> None:
        counts = size * np.array([0.6, 0.3, 0.1])
        answers = np.eye(3)[np.repeat([0, 1, 2], np.round(counts).astype(int))]
        prior = estimate_prior(answers, EVEN)
        assert prior == pytest.approx((counts + held / 3) / (size + held))

    @given(
        rows=st.lists(
            st.lists(st.floats(0.001, 1), min_size=3, max_size=3), min_size=1, max_size=30
        ),
        reference=st.lists(st.floats(0.01, 1), min_size=3, max_size=3),
    )
    def test_it_is_a_distribution_whatever_is_said(
        self, rows: list[list[float]], reference: list[float]
    ) -> None:
        answers = np.array(rows)
        answers /= answers.sum(axis=1, keepdims=True)
        shares = np.array(reference) / np.sum(reference)
        prior = estimate_prior(answers, shares)
        assert prior.sum() == pytest.approx(1)
        assert prior.min() > 0
        corrected = correct(answers, prior=prior, reference=shares)
        assert corrected.sum(axis=1) == pytest.approx(np.ones(len(rows)))


@pytest.mark.parametrize(("surest", "tells"), [(0.34, False), (0.49, False), (0.51, True)])
def test_answers_close_to_a_blind_guess_tell_no_prior(surest: float, tells: bool) -> None:
    rest = (1 - surest) / 2
    answers = np.array([[surest, rest, rest], [rest, rest, surest]] * 50)
    assert tell_the_prior(answers) is tells


def test_with_the_reference_as_prior_nothing_changes() -> None:
    answers, _ = make_answers(EVEN, size=20)
    assert correct(answers, prior=EVEN, reference=EVEN) == pytest.approx(answers)
