"""How is a calibration fitted on answers whose gold label is known?"""

from typing import Literal

import numpy as np
from sklearn.isotonic import IsotonicRegression

from llkd.calibration import fit_temperature
from llkd.pseudo_labels import PseudoLabels
from llkd.teacher_calibration import (
    Calibration,
    Contextual,
    Isotonic,
    Temperature,
    log_probabilities,
)
from llkd.types import FloatArray, IntArray

FittedMethod = Literal["temperature", "isotonic"]

# Answers with gold without which a method is not tried: one number is known well enough
# from fifty; a line of as many steps as it likes follows the accidents of a hundred.
# Source: measured on five sets of real answers; see docs/decisions.
FEWEST_GOLD: dict[FittedMethod, int] = {"temperature": 50, "isotonic": 200}
# A teacher whose probabilities are true already.
_USUAL_TEMPERATURE = 1.0


def fittable(method: FittedMethod, answers: PseudoLabels) -> bool:
    """Whether there are enough of these answers, gold being known of all, that it applies to."""
    covered = answers.distributed if method == "temperature" else answers.known
    return int(covered.sum()) >= FEWEST_GOLD[method]


def fit(method: FittedMethod, answers: PseudoLabels, gold: IntArray) -> Calibration:
    """The calibration that fits N answers best.

    Args:
        gold: [N], in 0..K-1.

    Raises:
        ValueError: the method applies to none of the answers.
    """
    match method:
        case "temperature":
            return Calibration(_temperature(answers, gold))
        case "isotonic":
            return Calibration(_isotonic(answers, gold))


def contextual(content_free: FloatArray) -> Calibration:
    """The calibration that takes away what was answered to nothing.

    Args:
        content_free: [M, K], a language model's answers to `CONTENT_FREE_TEXTS`; rows sum to 1.

    Raises:
        ValueError: no answer, or one that is no distribution.
    """
    if content_free.ndim != 2 or not len(content_free):
        raise ValueError(f"answers are [M, K] with M at least 1, not {content_free.shape}")
    # NaN fails the comparison and so is refused, too.
    if not (content_free >= 0).all() or not np.allclose(content_free.sum(axis=1), 1):
        raise ValueError("each content-free answer is a distribution over the labels")
    return Calibration(Contextual(tuple(content_free.mean(axis=0).tolist())))


def _temperature(answers: PseudoLabels, gold: IntArray) -> Temperature:
    covered = answers.distributed
    if not covered.any():
        raise ValueError("a temperature is fitted on probabilities, and none are known")
    logits = log_probabilities(answers.probabilities[covered])
    return Temperature(fit_temperature(logits, gold[covered], expected=_USUAL_TEMPERATURE))


def _isotonic(answers: PseudoLabels, gold: IntArray) -> Isotonic:
    """Least squares among the lines that never fall.

    No share of right labels counts as 0 or 1: a next text, as likely right as wrong, would
    prove it wrong (the ends are those of Laplace's rule of succession).
    """
    known = answers.known
    if not known.any():
        raise ValueError("an isotonic line is fitted on confidences, and none are known")
    right = (answers.labels == gold)[known]
    least = 1 / (len(right) + 2)
    line = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip")
    line.fit(answers.confidence[known], right.astype(np.float64))
    return Isotonic(tuple(line.X_thresholds_.tolist()), tuple(line.y_thresholds_.tolist()))
