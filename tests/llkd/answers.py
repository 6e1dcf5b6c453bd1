"""Answers of made-up teachers, of whom it is known how sure they ought to be."""

import numpy as np

from llkd.calibration_choice import Evidence, GoldAnswers, GoldRole
from llkd.pseudo_labels import PseudoLabels
from llkd.types import FloatArray, IntArray


def boasting(
    count: int, *, temperature: float = 3.0, classes: int = 3, seed: int = 0
) -> tuple[PseudoLabels, IntArray]:
    """A teacher whose logits are so many times too large, and what is really so."""
    generator = np.random.default_rng(seed)
    honest = generator.normal(scale=1.5, size=(count, classes))
    gold = (honest + generator.gumbel(size=honest.shape)).argmax(axis=1).astype(np.int64)
    return distributions(np.exp(honest * temperature)), gold


def distributions(weights: FloatArray) -> PseudoLabels:
    """Answers with probabilities in these proportions, [N, K]."""
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    labels = probabilities.argmax(axis=1).astype(np.int64)
    return PseudoLabels(labels, probabilities.max(axis=1), probabilities)


def bare(labels: IntArray, confidence: FloatArray, *, classes: int = 3) -> PseudoLabels:
    """Answers of which only a confidence is known, if that."""
    return PseudoLabels(labels, confidence, np.full((len(labels), classes), np.nan))


def verbal(count: int, *, seed: int = 0) -> tuple[PseudoLabels, IntArray]:
    """A teacher that says 0.6, 0.8 or 1.0 and is right a third, half and two thirds of the
    time, evenly over its labels."""
    generator = np.random.default_rng(seed)
    level = generator.integers(3, size=count)
    labels = generator.integers(3, size=count).astype(np.int64)
    right = generator.random(count) < np.array([1 / 3, 1 / 2, 2 / 3])[level]
    gold = np.where(right, labels, (labels + 1) % 3).astype(np.int64)
    return bare(labels, np.array([0.6, 0.8, 1.0])[level]), gold


def evidence(
    *golden: tuple[PseudoLabels, IntArray], content_free: FloatArray | None = None
) -> Evidence:
    """The first gold is of rows to train on, the second of rows that measure."""
    roles: tuple[GoldRole, GoldRole] = ("trained_on", "measuring")
    gold = [GoldAnswers(role, *each) for role, each in zip(roles, golden, strict=False)]
    return Evidence(
        gold,
        known=sum(int(each.answers.known.sum()) for each in gold),
        distributed=sum(int(each.answers.distributed.sum()) for each in gold),
        content_free=content_free,
    )
