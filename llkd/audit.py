"""Which pseudo-labels are likely wrong, which labels overlap, and which texts fit none?"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from llkd.dynamics import NEVER, Dynamics
from llkd.estimated_confidence import ConfidenceEstimate, ranks_of
from llkd.types import BoolArray, FloatArray, IntArray, Pool

# Share of the way from a blind guess to certainty below which nobody can tell the label.
_LEAST_CERTAINTY = 1 / 3


@dataclass(frozen=True)
class Judgement:
    """What is known of each of N pseudo-labels, beside the teacher's word.

    Attributes:
        suspicion: [N], in [0, 1]: mean rank, among the texts of its pseudo-label, by what
            speaks for the label; 1 for the least likely one of a class. Half where nothing
            is known.
        suggested: [N], another label that student or cheap model holds for likelier, the
            surer one's if both do; -1 where neither does.
        certainty: [N], in [0, 1]: how far the surest of teacher, student and cheap model is
            from a blind guess. NaN where none of them said how sure it was.
    """

    suspicion: FloatArray
    suggested: IntArray
    certainty: FloatArray

    @property
    def doubted(self) -> IntArray:
        """Places of the texts with another likelier label, the most suspicious first."""
        places = np.flatnonzero(self.suggested != NEVER)
        found: IntArray = places[np.argsort(-self.suspicion[places], kind="stable")]
        return found

    @property
    def unfitting(self) -> IntArray:
        """Places of the texts that no label fits, the least certain first."""
        places = np.flatnonzero(self.certainty < _LEAST_CERTAINTY)
        found: IntArray = places[np.argsort(self.certainty[places], kind="stable")]
        return found


@dataclass(frozen=True)
class Overlap:
    """Two labels that are taken for each other.

    Attributes:
        first, second: in 0..K-1, first below second.
        texts: pseudo-labelled with one of them and read as the other.
        share: of all texts pseudo-labelled with either.
    """

    first: int
    second: int
    texts: int
    share: float


def judge(pool: Pool, dynamics: Dynamics, estimate: ConfidenceEstimate | None) -> Judgement:
    """Weigh what teacher, student and a cheap model say of each pseudo-label.

    Ranks within a class are averaged, not probabilities: the three have scales of their
    own, and a class that is hard for all would be doubted as a whole.

    Args:
        pool: N texts; its confidences are the teacher's own.
        dynamics: of the student's training, on the same N texts.
        estimate: of the same N texts, where there is one.
    """
    evidence = [pool.confidence, dynamics.likelihood]
    tops = [pool.confidence, np.where(dynamics.readings > 0, dynamics.top, np.nan)]
    suggested = _other(dynamics.predicted, pool.labels)
    if estimate is not None:
        evidence.append(estimate.values)
        tops.append(estimate.top)
        other = _other(estimate.predicted, pool.labels)
        surer = (suggested == NEVER) | (estimate.top > dynamics.top)
        suggested = np.where((other != NEVER) & surer, other, suggested)
    ranks = np.stack([_ranks_within(pool.labels, values) for values in evidence])
    blind = 1 / pool.class_count
    highest: FloatArray = np.fmax.reduce(tops)
    return Judgement(
        suspicion=_mean_known(1 - ranks, otherwise=0.5),
        suggested=suggested,
        certainty=(highest - blind) / (1 - blind),
    )


def overlapping_labels(pool: Pool, dynamics: Dynamics) -> list[Overlap]:
    """Pairs of labels that the student takes for each other, the most entangled first."""
    met: BoolArray = dynamics.readings > 0
    table = np.zeros((pool.class_count, pool.class_count), dtype=np.int64)
    np.add.at(table, (pool.labels[met], dynamics.predicted[met]), 1)
    sizes = table.sum(axis=1)
    found = []
    for first, second in combinations(range(pool.class_count), 2):
        texts = int(table[first, second] + table[second, first])
        if texts:
            found.append(Overlap(first, second, texts, texts / int(sizes[first] + sizes[second])))
    return sorted(found, key=lambda overlap: (-overlap.share, overlap.first, overlap.second))


def _other(predicted: IntArray, labels: IntArray) -> IntArray:
    """[N], the prediction where it is another label, else -1."""
    return np.where(predicted != labels, predicted, NEVER)


def _ranks_within(labels: IntArray, values: FloatArray) -> FloatArray:
    """[N], in (0, 1): the share of a text's class that is below it, ties by half; NaN stays."""
    ranks = np.full(len(values), np.nan)
    for c in np.unique(labels):
        members = np.flatnonzero((labels == c) & ~np.isnan(values))
        if len(members):
            ranks[members] = (ranks_of(values[members]) - 0.5) / len(members)
    return ranks


def _mean_known(values: FloatArray, *, otherwise: float) -> FloatArray:
    """[N], the mean over the first axis of what is not NaN."""
    known = ~np.isnan(values)
    counts = known.sum(axis=0)
    sums = np.where(known, values, 0.0).sum(axis=0)
    mean: FloatArray = np.where(counts > 0, sums / np.maximum(counts, 1), otherwise)
    return mean
