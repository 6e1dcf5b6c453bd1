"""What a teacher's answers to a few texts tell of it, before it is paid for many."""

from collections.abc import Sequence

import numpy as np

from llkd.calibration_figures import calibration_figures
from llkd.evaluation import NO_ANSWER, evaluate
from llkd.types import FloatArray, IntArray, Json
from llkd.wilson import wilson


def against_gold(
    gold: IntArray, answers: IntArray, confidence: FloatArray, labels: Sequence[str], *, seed: int
) -> Json | None:
    """Accuracy, scores and confusion by label, and calibration; None without a gold label.

    Args:
        gold: [N], in 0..K-1, -1 where it is not known.
        answers: [N], in 0..K-1, -1 for no answer.
        confidence: [N], NaN where unknown.
        labels: the K names.
        seed: of the bootstrap.
    """
    known = gold >= 0
    if not known.any():
        return None
    report = evaluate(
        gold[known], answers[known], confidence=confidence[known], labels=labels, seed=seed
    )
    return report.to_json()


def consistency(
    first: IntArray, second: IntArray, confidence: FloatArray, *, class_count: int
) -> Json | None:
    """How often the same text got the same label when the labels came in another order.

    Of two different answers to one text one is wrong, so the teacher is right in both orders at
    most that often. How well its confidence tells which answers stay is measured as calibration
    is, without gold.

    Args:
        first, second: [N], in 0..K-1, -1 for no answer.
        confidence: [N], of the first answers; NaN where unknown.

    Returns:
        None where no text was answered in both orders; `confusion` is [K][K], first by second.
    """
    both = (first != NO_ANSWER) & (second != NO_ANSWER)
    rows = int(both.sum())
    if not rows:
        return None
    same = first[both] == second[both]
    flat = np.bincount(first[both] * class_count + second[both], minlength=class_count**2)
    low, high = wilson(int(same.sum()), rows)
    figures = calibration_figures(confidence[both], same)
    return {
        "rows": rows,
        "same": {"value": float(same.mean()), "low": low, "high": high},
        "confusion": flat.reshape(class_count, class_count).tolist(),
        "ece": None if figures is None else figures.ece,
    }
