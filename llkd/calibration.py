"""At which temperature do a classifier's logits tell the truth?"""

import numpy as np

from llkd.types import FloatArray, IntArray

# How far, in natural logarithms, a temperature may be expected to lie from the usual one
# before a text has been seen; the best ones measured on five corpora spread by 0.8.
PRIOR_SPREAD = 1.0

# The search runs this many spreads to both sides of the expected temperature, in halvings
# that leave less than the precision of a float64.
_REACH = 8.0
_HALVINGS = 60


def softmax(logits: FloatArray, *, temperature: float = 1.0) -> FloatArray:
    """Turn [..., K] logits into probabilities that sum to 1 over the last axis.

    Raises:
        ValueError: a temperature that is not above 0.
    """
    scaled = _scaled(logits, temperature)
    powers = np.exp(scaled)
    probabilities: FloatArray = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities


def log_loss(logits: FloatArray, labels: IntArray, *, temperature: float) -> float:
    """Mean negative log-probability, in nats, of [N] labels under [N, K] logits."""
    scaled = _scaled(logits, temperature)
    own = scaled[np.arange(len(labels)), labels]
    return float((np.log(np.exp(scaled).sum(axis=-1)) - own).mean())


def fit_temperature(logits: FloatArray, labels: IntArray, *, expected: float) -> float:
    """Find the temperature of least negative log-likelihood, held near the expected one.

    A log-normal prior around `expected` weighs as much as a few texts: on a dozen texts
    that happen to be all right, or all wrong, the plain likelihood asks for certainty, or
    for knowing nothing at all. On hundreds of texts the prior no longer matters.

    Args:
        logits: [N, K], of texts the classifier was not fitted on.
        labels: [N], in 0..K-1.
        expected: the temperature to take without any text.

    Returns:
        Above 0; equal to `expected` for N = 0.

    Source: Guo et al. (2017), arXiv 1706.04599, for temperature scaling; the prior is ours.
    """
    if not len(labels):
        return expected
    wanted = logits[np.arange(len(labels)), labels].mean()

    def slope(log_temperature: float) -> float:
        """Derivative of loss and prior by the logarithm of the temperature."""
        temperature = float(np.exp(log_temperature))
        expectation = (softmax(logits, temperature=temperature) * logits).sum(axis=1).mean()
        pull = (log_temperature - np.log(expected)) / PRIOR_SPREAD**2
        return float(pull - len(labels) * (expectation - wanted) / temperature)

    low = np.log(expected) - _REACH * PRIOR_SPREAD
    high = np.log(expected) + _REACH * PRIOR_SPREAD
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return float(np.exp((low + high) / 2))


def _scaled(logits: FloatArray, temperature: float) -> FloatArray:
    """Logits over the temperature, in float64, moved so that the largest of a row is 0."""
    if not temperature > 0:
        raise ValueError(f"a temperature is above 0, not {temperature}")
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    moved: FloatArray = scaled - scaled.max(axis=-1, keepdims=True)
    return moved
