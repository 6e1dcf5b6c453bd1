"""A calibration is kept where gold says that it helps, and refused with its reason elsewhere."""

import numpy as np
import pytest

from llkd.calibration_choice import CalibrationChoice, Evidence, Wish, choose_calibration
from llkd.confidence_figures import confidence_figures
from llkd.pseudo_labels import PseudoLabels
from llkd.types import IntArray
from tests.llkd.answers import bare, boasting, distributions, evidence, verbal

BIAS = np.array([0.7, 0.2, 0.1])


def choose(given: Evidence, wish: Wish = "auto") -> CalibrationChoice:
    return choose_calibration(given, wish=wish, seed=0)


def method_of(choice: CalibrationChoice) -> str:
    return "none" if choice.calibration is None else choice.calibration.method


def by_lot(count: int) -> tuple[PseudoLabels, IntArray]:
    """Confidences that say nothing of what is right, and are true on average."""
    generator = np.random.default_rng(1)
    labels = np.zeros(count, dtype=np.int64)
    return bare(labels, np.full(count, 0.5)), (generator.random(count) < 0.5).astype(np.int64)


def biased(count: int) -> tuple[PseudoLabels, IntArray]:
    """Honest answers of a teacher that multiplies each by its own liking of the label."""
    honest, gold = boasting(count, temperature=1.0)
    return distributions(honest.probabilities * BIAS), gold


class TestAuto:
    def test_few_probabilities_get_a_temperature(self):
        choice = choose(evidence(boasting(60)))
        assert (method_of(choice), choice.reason) == ("temperature", "improved")
        assert [each.calibration.method for each in choice.tried] == ["temperature"]

    def test_many_get_the_better_of_both(self):
        choice = choose(evidence(boasting(2000)))
        losses = {each.calibration.method: each.figures.log_loss for each in choice.tried}
        assert set(losses) == {"temperature", "isotonic"}
        assert method_of(choice) == min(losses, key=losses.__getitem__)

    def test_bare_confidences_get_a_line(self):
        choice = choose(evidence(verbal(600)))
        assert method_of(choice) == "isotonic"
        assert choice.before is not None
        assert choice.chosen is not None
        assert choice.chosen.figures.ece < choice.before.ece / 2

    def test_too_few_of_them_are_left_alone_and_measured(self):
        choice = choose(evidence(verbal(199)))
        assert (method_of(choice), choice.reason) == ("none", "too_little_gold")
        assert choice.before is not None
        assert choice.before.rows == 199

    def test_gold_of_rows_to_train_on_comes_first(self):
        choice = choose(evidence(boasting(60), boasting(2000)))
        assert choice.measured_on is not None
        assert (choice.measured_on.role, len(choice.measured_on.gold)) == ("trained_on", 60)

    def test_gold_that_measures_fits_nothing(self):
        choice = choose(evidence(boasting(49), boasting(80)))
        assert choice.measured_on is not None
        assert (choice.measured_on.role, method_of(choice)) == ("measuring", "none")
        assert (choice.reason, choice.before is None) == ("too_little_gold", False)

    def test_by_name_it_does_where_the_other_is_too_little(self):
        choice = choose(evidence(boasting(49), boasting(80)), "temperature")
        assert choice.measured_on is not None
        assert (choice.measured_on.role, method_of(choice)) == ("measuring", "temperature")

    def test_true_confidences_are_left_as_they_are(self):
        choice = choose(evidence(by_lot(2000)))
        assert (method_of(choice), choice.reason) == ("none", "no_gain")
        assert choice.chosen is None
        assert len(choice.tried) == 1

    def test_hard_labels_have_nothing_to_calibrate(self):
        hard = bare(np.zeros(600, dtype=np.int64), np.full(600, np.nan))
        choice = choose(evidence((hard, np.zeros(600, dtype=np.int64))))
        assert (method_of(choice), choice.reason) == ("none", "no_confidence")
        assert choice.before is None

    def test_nothing_is_measured_on_a_handful(self):
        choice = choose(evidence(boasting(49)))
        assert (choice.before, choice.measured_on) == (None, None)

    def test_equal_seeds_choose_equally(self):
        first, second = choose(evidence(boasting(700))), choose(evidence(boasting(700)))
        assert first.calibration == second.calibration
        assert [each.figures for each in first.tried] == [each.figures for each in second.tried]


class TestCrossFit:
    def test_figures_are_of_answers_that_their_fit_did_not_see(self):
        answers, gold = boasting(600)
        choice = choose(evidence((answers, gold)), "isotonic")
        trial = choice.tried[0]
        assert trial.fold is not None
        assert np.bincount(trial.fold).tolist() == [120] * 5
        # Fitted and measured on the same gold, a line looks better than it is.
        hopeful = confidence_figures(trial.calibration.apply(answers), gold)
        assert hopeful is not None
        assert trial.figures.log_loss > hopeful.log_loss
        out_of_fold = answers
        for number, each in enumerate(trial.folds):
            out = trial.fold == number
            out_of_fold = out_of_fold.changed(out, by=each.apply(answers.take(out)))
        assert trial.figures == confidence_figures(out_of_fold, gold, fold=trial.fold)

    def test_ranks_before_and_after_are_of_the_same_pairs(self):
        # Of two labels, a temperature puts no two answers into another order.
        choice = choose(evidence(boasting(400, classes=2)), "temperature")
        assert choice.before is not None
        assert choice.chosen is not None
        assert choice.chosen.figures.auroc == pytest.approx(choice.before.auroc)

    def test_an_answer_s_own_gold_has_no_part_in_its_confidence(self):
        answers, gold = boasting(500)
        other = gold.copy()
        other[0] = (gold[0] + 1) % 3
        folds = []
        for each in (gold, other):
            trial = choose(evidence((answers, each)), "temperature").tried[0]
            assert trial.fold is not None
            folds.append((trial.folds[int(trial.fold[0])], trial.calibration))
        assert folds[0][0] == folds[1][0]
        assert folds[0][1] != folds[1][1]


class TestWishes:
    @pytest.mark.parametrize("wish", ["temperature", "isotonic"])
    def test_only_what_is_wished_for_is_tried(self, wish: Wish):
        choice = choose(evidence(boasting(600)), wish)
        assert [each.calibration.method for each in choice.tried] == [wish]
        assert method_of(choice) == wish

    def test_none_is_none_and_still_measured(self):
        choice = choose(evidence(boasting(600)), "none")
        assert (method_of(choice), choice.reason) == ("none", "not_wanted")
        assert choice.before is not None

    @pytest.mark.parametrize(
        ("given", "wish", "reason"),
        [
            (evidence(boasting(49)), "temperature", "too_little_gold"),
            (evidence(boasting(199)), "isotonic", "too_little_gold"),
            (evidence(verbal(2000)), "temperature", "no_probabilities"),
            (evidence(verbal(2000), content_free=BIAS[None]), "contextual", "no_probabilities"),
            (evidence(boasting(2000)), "contextual", "no_content_free_answers"),
            (Evidence([], known=0, distributed=0), "isotonic", "no_confidence"),
        ],
    )
    def test_what_cannot_be_done_is_not_done_and_says_why(
        self, given: Evidence, wish: Wish, reason: str
    ):
        choice = choose(given, wish)
        assert (method_of(choice), choice.reason) == ("none", reason)
        assert choice.tried == ()


class TestContextual:
    def test_without_gold_it_is_taken_unchecked(self):
        given = Evidence([], known=100, distributed=100, content_free=BIAS[None])
        choice = choose(given)
        assert (method_of(choice), choice.reason) == ("contextual", "unchecked")
        assert (choice.before, choice.chosen) == (None, None)

    def test_a_bias_that_is_there_is_taken_away(self):
        choice = choose(evidence(biased(1000), content_free=BIAS[None]), "contextual")
        assert (method_of(choice), choice.reason) == ("contextual", "improved")
        assert choice.before is not None
        assert choice.chosen is not None
        assert choice.chosen.figures.accuracy > choice.before.accuracy + 0.05
        assert choice.chosen.fold is None

    def test_one_that_is_not_there_is_left_alone(self):
        honest = boasting(1000, temperature=1.0)
        choice = choose(evidence(honest, content_free=BIAS[None]), "contextual")
        assert (method_of(choice), choice.reason) == ("none", "no_gain")
        assert len(choice.tried) == 1

    def test_wrong_labels_with_little_confidence_are_no_gain(self):
        # Nearly certain and mostly right; without the bias unsure and always wrong, which
        # surprises less.
        answers = distributions(np.tile([0.98, 0.0101, 0.0099], (100, 1)))
        gold = (np.arange(100) < 30).astype(np.int64) * 2
        content_free = np.array([[0.98, 0.01, 0.01]])
        choice = choose(evidence((answers, gold), content_free=content_free), "contextual")
        assert choice.before is not None
        assert choice.tried[0].figures.log_loss < choice.before.log_loss
        assert choice.tried[0].figures.accuracy < choice.before.accuracy
        assert choice.reason == "no_gain"

    def test_gold_that_fits_goes_before_it(self):
        choice = choose(evidence(biased(1000), content_free=BIAS[None]))
        assert method_of(choice) in ("temperature", "isotonic")
