"""How often does each label really occur, and what would the teacher say if it knew?

A few-shot teacher has seen as many examples of a rare label as of a common one, and calls
texts by the rare one far too often. Its probabilities over a whole pool tell how often
each label occurs; with that, each single answer becomes a better one.
"""

import numpy as np

from llkd.types import FloatArray

# Answers that the reference counts as, in all: a share of the pool, and at least so many, and
# one a label. Without them a label that occurs once in a thousand texts would never be given
# again, and a hundred answers of a weak teacher would be believed too much.
_REFERENCE_SHARE = 0.1
_REFERENCE_LEAST = 30
_MOST_ROUNDS = 1000
# Of answers that are close to a blind guess, the likeliest prior is that of one label alone.
_LEAST_CERTAINTY = 0.25
_CLOSE_ENOUGH = 1e-7


def tell_the_prior(probabilities: FloatArray) -> bool:
    """Whether answers are sure enough to say how often each label occurs.

    They are if the surest label of each is on average at least a quarter of the way from a
    blind guess to certainty.

    Args:
        probabilities: [N, K], rows sum to 1; N at least 1.
    """
    blind = 1 / probabilities.shape[1]
    certainty: float = (float(probabilities.max(axis=1).mean()) - blind) / (1 - blind)
    return certainty >= _LEAST_CERTAINTY


def estimate_prior(probabilities: FloatArray, reference: FloatArray) -> FloatArray:
    """How often each label occurs in the pool that these texts were drawn from.

    Expectation maximization: the answers, corrected by the prior so far, sum up to the
    next one. Gold takes no part.

    Args:
        probabilities: [N, K], a teacher's, of N texts drawn by lot; rows sum to 1.
        reference: [K], how often each label occurred where the teacher learned; above 0.

    Returns:
        [K], sums to 1, above 0.

    Source: Saerens, Latinne & Decaestecker (2002); the weight of the reference is ours.
    """
    size, class_count = probabilities.shape
    held = max(_REFERENCE_SHARE * size, _REFERENCE_LEAST, class_count)
    start: FloatArray = reference / reference.sum()
    prior = start
    for _ in range(_MOST_ROUNDS):
        corrected = correct(probabilities, prior=prior, reference=start)
        moved = (corrected.sum(axis=0) + held * start) / (size + held)
        converged = np.abs(moved - prior).max() < _CLOSE_ENOUGH
        prior = moved
        if converged:
            break
    return prior


def correct(probabilities: FloatArray, *, prior: FloatArray, reference: FloatArray) -> FloatArray:
    """What the teacher would say of texts among which the labels occur as the prior says.

    Args:
        probabilities: [N, K], rows sum to 1.
        prior: [K], of these texts.
        reference: [K], of those that the teacher learned from.

    Returns:
        [N, K], rows sum to 1: q(c) prior(c) / reference(c), normalized.
    """
    weighted = probabilities * (prior / reference)
    total = weighted.sum(axis=-1, keepdims=True)
    corrected: FloatArray = weighted / total
    return corrected
