"""Which linear classifier on text vectors fits a handful of labelled texts, and how sure is it?"""

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.linear_model import LogisticRegression

from llkd.calibration import fit_temperature, log_loss, softmax
from llkd.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Recipe:
    """One way to fit a head.

    Attributes:
        layers: read the encoder's last layer alone, or several side by side. Topics live in
            the last; style and the role of a sentence are plainer below it.
        strength: sklearn's C, how little the weights are held back.
        usual_temperature: what such heads need on average to be as sure as they are right;
            measured with names and at most one example a label on five corpora.
    """

    layers: Literal["last", "several"]
    strength: float
    usual_temperature: float


# The first is taken when there is too little to choose by.
RECIPES = (
    Recipe("last", 10.0, usual_temperature=0.5),
    Recipe("last", 1.0, usual_temperature=0.15),
    Recipe("several", 10.0, usual_temperature=0.5),
    Recipe("several", 1.0, usual_temperature=0.15),
)

FOLDS = 5
# Under these many texts to hold out, a choice among recipes and a temperature are chance.
LEAST_HELD_OUT = 10
# Texts times classes above which cross-validating every recipe would take minutes: from
# there only the first one is tried, in fewer folds.
_MOST_CHOICE = 100_000
_FEW_FOLDS = 2

# A label's own text weighs as much as two examples: it decides when there are none, and
# is outvoted by a dozen.
DESCRIPTION_WEIGHT = 2.0


@dataclass(frozen=True)
class LabelledVectors:
    """Texts to fit on.

    Attributes:
        vectors: [N, L, H], L layers of an encoder, the last one last.
        labels: [N], each of 0..K-1 at least once.
        is_description: [N], True for the text that describes a label, False for an example.
        class_count: K.
    """

    vectors: FloatArray
    labels: IntArray
    is_description: BoolArray
    class_count: int

    def take(self, chosen: BoolArray) -> "LabelledVectors":
        return LabelledVectors(
            self.vectors[chosen],
            self.labels[chosen],
            self.is_description[chosen],
            self.class_count,
        )


@dataclass(frozen=True)
class LinearHead:
    """Class probabilities from text vectors.

    Attributes:
        recipe: how it was fitted.
        weights: [K, D].
        offsets: [K].
        temperature: calibrates the probabilities.
        held_out: texts the temperature was fitted on; 0: it is the usual one.
    """

    recipe: Recipe
    weights: FloatArray
    offsets: FloatArray
    temperature: float
    held_out: int

    def probabilities(self, vectors: FloatArray) -> FloatArray:
        """[N, K] from [N, L, H]; a row is the same bits whatever rows stand beside it."""
        features = _features(vectors, self.recipe)
        # One product a row: a matrix product may add in another order for another N.
        logits = [self.weights @ row + self.offsets for row in features]
        return softmax(
            np.array(logits).reshape(-1, len(self.offsets)), temperature=self.temperature
        )


def fit_head(texts: LabelledVectors) -> LinearHead:
    """Choose a recipe by cross-validated log-loss, calibrate it, and fit it on all texts.

    Only examples of labels that have two or more are held out, a fold taking its share of
    each label's; descriptions always stay, so no fold lacks a class. With fewer than ten
    such texts the first recipe is fitted at its usual temperature.
    """
    small = len(texts.labels) * texts.class_count <= _MOST_CHOICE
    fold = assign_folds(texts, folds=FOLDS if small else _FEW_FOLDS)
    held_out = int((fold >= 0).sum())
    if held_out < LEAST_HELD_OUT:
        weights, offsets = _fit(texts, RECIPES[0])
        return LinearHead(RECIPES[0], weights, offsets, RECIPES[0].usual_temperature, held_out=0)
    scored = [_score(texts, fold, recipe) for recipe in (RECIPES if small else RECIPES[:1])]
    # The first of equals: `min` keeps the order of the recipes.
    _, temperature, recipe = min(scored, key=lambda entry: entry[0])
    weights, offsets = _fit(texts, recipe)
    return LinearHead(recipe, weights, offsets, temperature, held_out)


def assign_folds(texts: LabelledVectors, *, folds: int) -> IntArray:
    """The fold, [N], in which each text is held out; -1 for those that never are."""
    fold = np.full(len(texts.labels), -1, dtype=np.int64)
    for label in range(texts.class_count):
        examples = np.flatnonzero((texts.labels == label) & ~texts.is_description)
        if len(examples) >= 2:
            # Labels begin at different folds, so that folds are equally large even where
            # a label has fewer examples than there are folds.
            fold[examples] = (np.arange(len(examples)) + label) % folds
    return fold


def _score(texts: LabelledVectors, fold: IntArray, recipe: Recipe) -> tuple[float, float, Recipe]:
    """Cross-validate: log-loss in nats, the temperature it was reached at, the recipe."""
    logits = np.zeros((len(fold), texts.class_count))
    for number in np.unique(fold[fold >= 0]):
        out = fold == number
        weights, offsets = _fit(texts.take(~out), recipe)
        logits[out] = _features(texts.vectors[out], recipe) @ weights.T + offsets
    asked = fold >= 0
    logits, labels = logits[asked], texts.labels[asked]
    temperature = fit_temperature(logits, labels, expected=recipe.usual_temperature)
    return log_loss(logits, labels, temperature=temperature), temperature, recipe


def _features(vectors: FloatArray, recipe: Recipe) -> FloatArray:
    """[N, D] of length 1 from [N, L, H] whose layers are of length 1 each."""
    if recipe.layers == "last":
        return vectors[:, -1]
    beside: FloatArray = vectors.reshape(len(vectors), -1) / np.sqrt(vectors.shape[1])
    return beside


def _fit(texts: LabelledVectors, recipe: Recipe) -> tuple[FloatArray, FloatArray]:
    """Weights [K, D] and offsets [K] of a logistic regression with balanced classes."""
    own = np.where(texts.is_description, DESCRIPTION_WEIGHT, 1.0)
    of_class = np.bincount(texts.labels, weights=own, minlength=texts.class_count)
    weight = own / of_class[texts.labels] * of_class.sum() / texts.class_count
    model = LogisticRegression(C=recipe.strength, max_iter=1000)
    with warnings.catch_warnings():
        # Few texts a label is what this teacher is for.
        warnings.filterwarnings("ignore", message="The number of unique classes is greater than")
        model.fit(_features(texts.vectors, recipe), texts.labels, sample_weight=weight)
    if texts.class_count == 2:
        # sklearn keeps one row for two classes: the logit of the second over the first.
        return np.vstack([-model.coef_, model.coef_]) / 2, np.hstack(
            [-model.intercept_, model.intercept_]
        ) / 2
    return model.coef_, model.intercept_
