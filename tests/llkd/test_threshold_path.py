"""One number sets the thresholds of all labels, and a label with few texts borrows them."""

import numpy as np
import pytest

from llkd.threshold_path import MOST_STEPS, Observed, expect_agreement, threshold_path
from tests.llkd.planted import WORLDS, World


def drawn(world: World, count: int) -> Observed:
    return world.draw(count, np.random.default_rng(0))


NOTHING = Observed(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0, dtype=np.bool_))


class TestObserved:
    def test_arrays_are_of_the_same_texts(self):
        with pytest.raises(ValueError, match="2 labels, 1 scores"):
            Observed(np.zeros(2, dtype=np.int64), np.zeros(1), np.zeros(2, dtype=np.bool_))

    def test_a_score_at_its_label_s_threshold_is_answered(self):
        observed = Observed(np.array([0, 0, 1]), np.array([0.5, 0.4, 0.5]), np.ones(3, np.bool_))
        assert observed.answered(np.array([0.5, np.inf])).tolist() == [True, False, False]


class TestExpectAgreement:
    def test_it_finds_how_far_off_the_scores_of_a_label_are(self):
        agreement = expect_agreement(drawn(WORLDS["smooth"], 20_000), class_count=3)
        assert agreement.slope == pytest.approx(1.0, abs=0.05)
        assert agreement.offsets == pytest.approx([0.0, -0.5, 0.5], abs=0.1)

    def test_without_a_text_scores_are_taken_as_they_are(self):
        agreement = expect_agreement(NOTHING, class_count=3)
        assert agreement.slope == 1.0
        assert agreement.thresholds(0.0).tolist() == [0.5, 0.5, 0.5]

    def test_a_label_without_texts_borrows_from_the_others(self):
        world = World((0.25, 0.25, 0.25, 0.25, 0.0), (2.0, 2.0, 2.0, 2.0, 0.0))
        agreement = expect_agreement(drawn(world, 8000), class_count=5)
        # Four labels at -2 under equal priors draw what all share to four fifths of that.
        assert agreement.offsets[4] == pytest.approx(-1.6, abs=0.2)

    def test_one_text_hardly_moves_its_label(self):
        many = drawn(World((0.5, 0.5, 0.0), (0.0, 0.0, 0.0)), 2000)
        one = Observed(
            np.append(many.predicted, 2),
            np.append(many.score, 0.9),
            np.append(many.agrees, False),
        )
        before = expect_agreement(many, class_count=3).thresholds(2.0)
        after = expect_agreement(one, class_count=3).thresholds(2.0)
        assert before[2] < after[2] < before[2] + 0.08
        assert after[:2] == pytest.approx(before[:2], abs=0.01)

    def test_scores_that_say_the_contrary_still_make_thresholds(self):
        generator = np.random.default_rng(0)
        score = generator.random(500)
        observed = Observed(np.zeros(500, dtype=np.int64), score, generator.random(500) > score)
        assert expect_agreement(observed, class_count=2).slope > 0


@pytest.mark.parametrize("name", WORLDS)
class TestThresholdPath:
    def test_each_step_answers_no_less_than_the_one_before(self, name):
        path = threshold_path(drawn(WORLDS[name], 500), class_count=WORLDS[name].class_count)
        assert path.shape == (len(path), WORLDS[name].class_count)
        assert len(path) <= MOST_STEPS
        assert (path[1:] <= path[:-1]).all()
        assert (path[-1] == 0).all()

    def test_tied_scores_are_answered_together(self, name):
        world = WORLDS[name]
        observed = drawn(world, 500)
        for thresholds in threshold_path(observed, class_count=world.class_count):
            given = observed.answered(thresholds)
            pairs = set(zip(observed.predicted[given], observed.score[given], strict=True))
            left = set(zip(observed.predicted[~given], observed.score[~given], strict=True))
            assert not pairs & left


def test_without_a_text_there_is_one_step_that_answers_everything():
    assert threshold_path(NOTHING, class_count=2).tolist() == [[0.0, 0.0]]
