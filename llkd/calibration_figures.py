"""How far may a confidence be believed? Expected calibration error, reliability and AUROC."""

from dataclasses import dataclass

import numpy as np

from llkd.types import BoolArray, FloatArray

BIN_COUNT = 15


@dataclass(frozen=True)
class ReliabilityBin:
    """Answers whose confidence lies in (lower, upper]; the first bin includes its lower end.

    Attributes:
        count: answers in the bin.
        confidence: their mean confidence, None where the bin is empty.
        accuracy: the share of them that is right, None where the bin is empty.
    """

    lower: float
    upper: float
    count: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class CalibrationFigures:
    """What a confidence is worth on N answers.

    Attributes:
        rows: answers with a known confidence; the others are left out.
        mean_confidence: over those rows, in [0, 1].
        ece: expected calibration error over `bins`, in [0, 1].
        bins: 15 bins of equal width.
        auroc: chance that a right answer has the higher confidence than a wrong one, ties
            counted half; None when all answers are right, or all wrong.
        distinct: different confidence values; few of them make thresholds coarse.
    """

    rows: int
    mean_confidence: float
    ece: float
    bins: tuple[ReliabilityBin, ...]
    auroc: float | None
    distinct: int


def calibration_figures(confidence: FloatArray, correct: BoolArray) -> CalibrationFigures | None:
    """Measure N confidences against what was right; None when no confidence is known.

    Args:
        confidence: [N], in [0, 1]; NaN when unknown.
        correct: [N].

    Raises:
        ValueError: a confidence outside [0, 1].
    """
    known = ~np.isnan(confidence)
    if not known.any():
        return None
    confidence, correct = confidence[known], correct[known]
    if confidence.min() < 0 or confidence.max() > 1:
        raise ValueError(
            f"confidences lie in [0, 1], these in [{confidence.min()}, {confidence.max()}]"
        )
    bins = reliability_bins(confidence, correct)
    return CalibrationFigures(
        rows=len(confidence),
        mean_confidence=float(confidence.mean()),
        ece=expected_calibration_error(bins),
        bins=bins,
        auroc=auroc(confidence, correct),
        distinct=len(np.unique(confidence)),
    )


def reliability_bins(
    confidence: FloatArray, correct: BoolArray, *, count: int = BIN_COUNT
) -> tuple[ReliabilityBin, ...]:
    """Sort N answers into `count` bins of equal width over [0, 1].

    Equal width rather than equal mass: an answer's bin then depends on its own confidence
    alone, so that tied and saturated confidences are never torn apart.

    Source: Guo et al. (2017), arXiv 1706.04599.
    """
    # A confidence on an edge belongs below it; exactly 0 belongs to the first bin.
    place = np.clip(np.ceil(confidence * count).astype(np.int64) - 1, 0, count - 1)
    sizes = np.bincount(place, minlength=count)
    confident = np.bincount(place, weights=confidence, minlength=count)
    right = np.bincount(place, weights=correct.astype(np.float64), minlength=count)
    return tuple(
        ReliabilityBin(
            lower=index / count,
            upper=(index + 1) / count,
            count=int(size),
            confidence=float(confident[index] / size) if size else None,
            accuracy=float(right[index] / size) if size else None,
        )
        for index, size in enumerate(sizes)
    )


def expected_calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """Mean gap of confidence and accuracy, each bin weighted by its answers; in [0, 1]."""
    gaps = [
        entry.count * abs(entry.confidence - entry.accuracy)
        for entry in bins
        if entry.confidence is not None and entry.accuracy is not None
    ]
    return sum(gaps) / sum(entry.count for entry in bins)


def auroc(score: FloatArray, positive: BoolArray) -> float | None:
    """Chance that a positive scores above a negative, ties counted half; None without both.

    Source: Mann and Whitney (1947), from mid-ranks.
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return None
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    mid_ranks = np.cumsum(counts) - (counts - 1) / 2
    above = mid_ranks[place][positive].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))
