"""How unsure a student is of a text."""

import math

import numpy as np

from llkd.types import FloatArray


def normalized_entropy(probabilities: FloatArray) -> FloatArray:
    """Return each row's entropy as a share of the largest possible one.

    Dividing by log K makes tasks with different numbers of classes comparable,
    so one threshold fits them all.

    Args:
        probabilities: [B, K], rows sum to 1.

    Returns:
        [B], in [0, 1]; 0 is certain, 1 is uniform.

    Raises:
        ValueError: K < 2; a single class has no uncertainty to measure.

    Source: Shannon (1948); normalized by log K.
    """
    class_count = probabilities.shape[1]
    if class_count < 2:
        raise ValueError(f"uncertainty needs two classes or more, not {class_count}")
    # 0 log 0 is 0: the limit, and what a saturated softmax needs.
    logarithms = np.log(np.where(probabilities > 0, probabilities, 1.0))
    entropy: FloatArray = -(probabilities * logarithms).sum(axis=1)
    # Rounding may leave the interval by an ulp, and a gate compares exactly.
    return np.clip(entropy / math.log(class_count), 0.0, 1.0)
