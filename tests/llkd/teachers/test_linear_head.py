"""A head fits few texts and many, and says how sure it may be."""

import numpy as np
import pytest

from llkd.calibration_figures import calibration_figures
from llkd.teachers import linear_head
from llkd.teachers.linear_head import FOLDS, RECIPES, assign_folds, fit_head
from tests.llkd.teachers.vectors import make_clusters


class TestFitHead:
    @pytest.mark.parametrize(
        ("class_count", "examples"), [(2, 0), (2, 5), (3, 1), (5, 40), (30, 3)]
    )
    def test_it_learns_what_it_was_told(self, class_count, examples):
        texts = make_clusters(class_count, examples, noise=0.2)
        probabilities = fit_head(texts).probabilities(texts.vectors)
        assert probabilities.shape == (len(texts.labels), class_count)
        assert probabilities.dtype == np.float64
        assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-12)
        assert (probabilities.argmax(axis=1) == texts.labels).mean() > 0.97

    @pytest.mark.parametrize(("class_count", "examples"), [(5, 0), (5, 1), (2, 4)])
    def test_with_too_little_to_hold_out_the_usual_temperature_stands(self, class_count, examples):
        head = fit_head(make_clusters(class_count, examples))
        assert (head.recipe, head.temperature) == (RECIPES[0], RECIPES[0].usual_temperature)
        assert head.held_out == 0

    def test_its_confidence_on_new_texts_is_honest(self):
        texts = make_clusters(4, 300, noise=2.5)
        known = np.arange(len(texts.labels)) % 301 <= 40
        head = fit_head(texts.take(known))
        probabilities = head.probabilities(texts.vectors[~known])
        correct = probabilities.argmax(axis=1) == texts.labels[~known]
        figures = calibration_figures(probabilities.max(axis=1), correct)
        assert figures is not None
        assert 0.4 < correct.mean() < 0.95
        assert figures.ece < 0.06

    def test_layers_below_are_read_where_they_tell_more(self):
        below, top = make_clusters(3, 20, told_by=0), make_clusters(3, 20, told_by=2)
        assert fit_head(below).recipe.layers == "several"
        assert fit_head(top).recipe.layers == "last"

    def test_a_rare_class_is_not_forgotten(self):
        texts = make_clusters(3, 60, noise=1.5)
        rare = (texts.labels != 2) | (np.arange(len(texts.labels)) % 61 < 4)
        answers = fit_head(texts.take(rare)).probabilities(texts.vectors[~rare]).argmax(axis=1)
        assert (answers == 2).mean() > 0.6

    def test_equal_texts_give_equal_heads(self):
        first, second = (fit_head(make_clusters(4, 12)) for _ in range(2))
        assert np.array_equal(first.weights, second.weights)
        assert first.temperature == second.temperature

    def test_an_answer_is_the_same_bits_in_any_company(self):
        texts = make_clusters(7, 9)
        head = fit_head(texts)
        together = head.probabilities(texts.vectors)
        alone = np.vstack([head.probabilities(row[None]) for row in texts.vectors])
        assert np.array_equal(together, alone)

    def test_where_choosing_would_take_minutes_only_the_first_recipe_is_tried(self, monkeypatch):
        monkeypatch.setattr(linear_head, "_MOST_CHOICE", 10)
        head = fit_head(make_clusters(3, 20, told_by=0))
        assert head.recipe == RECIPES[0]
        assert head.held_out == 60


class TestAssignFolds:
    def test_each_fold_takes_its_share_of_each_label(self):
        texts = make_clusters(3, 10)
        fold = assign_folds(texts, folds=FOLDS)
        for label in range(3):
            own = fold[(texts.labels == label) & ~texts.is_description]
            assert np.bincount(own).tolist() == [2] * FOLDS

    def test_descriptions_and_only_examples_are_never_held_out(self):
        texts = make_clusters(4, 1)
        assert (assign_folds(texts, folds=FOLDS) == -1).all()
        texts = make_clusters(4, 3)
        assert (assign_folds(texts, folds=FOLDS)[texts.is_description] == -1).all()

    def test_few_examples_spread_over_all_folds(self):
        fold = assign_folds(make_clusters(10, 2), folds=FOLDS)
        assert np.bincount(fold[fold >= 0]).tolist() == [4] * FOLDS
