"""How well do a teacher's confidences say which of its pseudo-labels are right?"""

from dataclasses import dataclass

import numpy as np

from llkd.calibration_figures import (
    ReliabilityBin,
    auroc,
    expected_calibration_error,
    reliability_bins,
)
from llkd.pseudo_labels import PseudoLabels
from llkd.teacher_calibration import LEAST_PROBABILITY
from llkd.types import BoolArray, FloatArray, IntArray

BIN_COUNT = 10


@dataclass(frozen=True)
class ConfidenceFigures:
    """What confidences are worth on N answers whose gold label is known.

    Attributes:
        rows: answers with a known confidence; the others are left out.
        accuracy: the share of them whose label is right.
        ece: expected calibration error over `reliability`, in [0, 1].
        brier: mean squared gap of the confidence and 1 (right) or 0 (wrong), in [0, 1].
        log_loss: mean surprise, in nats, at whether the label is right; nothing that came is
            taken to have been less likely than one in a million.
        auroc: chance that a right answer has the higher confidence than a wrong one, ties
            counted half; None when all are right, or all wrong.
        auroc_within: the same for a right and a wrong answer of one label, which is all that
            thresholds by class can use; None where no label has both.
        tied: the share of answers whose confidence another one has, too, in [0, 1].
        reliability: 10 bins of equal width.

    Source: Brier (1950); Guo et al. (2017), arXiv 1706.04599, for the ECE.
    """

    rows: int
    accuracy: float
    ece: float
    brier: float
    log_loss: float
    auroc: float | None
    auroc_within: float | None
    tied: float
    reliability: tuple[ReliabilityBin, ...]


def confidence_figures(
    answers: PseudoLabels, gold: IntArray, *, fold: IntArray | None = None
) -> ConfidenceFigures | None:
    """Measure N answers against gold; None when no confidence is known.

    Args:
        gold: [N], in 0..K-1.
        fold: [N], from 0 on, where several calibrations made the confidences. Ranks and ties
            are then looked for within a fold: two calibrations that differ by a hair put
            equal answers into an order that means nothing.
    """
    known = answers.known
    if not known.any():
        return None
    confidence, labels = answers.confidence[known], answers.labels[known]
    right = labels == gold[known]
    made_by = np.zeros(len(labels), dtype=np.int64) if fold is None else fold[known]
    bins = reliability_bins(confidence, right, count=BIN_COUNT)
    return ConfidenceFigures(
        rows=len(confidence),
        accuracy=float(right.mean()),
        ece=expected_calibration_error(bins),
        brier=float(((confidence - right) ** 2).mean()),
        log_loss=_log_loss(confidence, right),
        auroc=_auroc_in(made_by, confidence, right),
        auroc_within=_auroc_in(made_by * (labels.max() + 1) + labels, confidence, right),
        tied=_tied_in(made_by, confidence),
        reliability=bins,
    )


def tied_share(confidence: FloatArray) -> float:
    """The share of N known confidences that another text has, too; 0 for N = 0."""
    _, counts = np.unique(confidence, return_counts=True)
    return float(counts[counts > 1].sum() / max(1, len(confidence)))


def _tied_in(group: IntArray, confidence: FloatArray) -> float:
    """The share of all confidences that another one of their group equals."""
    sizes = np.bincount(group)
    shares = [tied_share(confidence[group == each]) for each in range(len(sizes))]
    return float(np.average(shares, weights=sizes))


def _log_loss(confidence: FloatArray, right: BoolArray) -> float:
    of_what_came = np.where(right, confidence, 1 - confidence)
    return float(-np.log(np.maximum(of_what_came, LEAST_PROBABILITY)).mean())


def _auroc_in(group: IntArray, confidence: FloatArray, right: BoolArray) -> float | None:
    """The AUROC over all pairs of a right and a wrong answer of one group; None without any."""
    areas: list[float] = []
    pairs: list[int] = []
    for each in np.unique(group):
        members = group == each
        area = auroc(confidence[members], right[members])
        if area is not None:
            areas.append(area)
            pairs.append(int(right[members].sum() * (~right[members]).sum()))
    return float(np.average(areas, weights=pairs)) if areas else None
