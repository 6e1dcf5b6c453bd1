"""How sure are accuracy and macro-F1? Percentile intervals from a resampled confusion table."""

from dataclasses import dataclass

import numpy as np

from llkd.types import FloatArray, IntArray

RESAMPLES = 1000
COVERAGE = 0.95

# Numbers held at once while resampling: 16 MB however many rows and classes there are.
_CHUNK_CELLS = 2_000_000


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ConfusionCells:
    """The occupied cells of a confusion table over K classes.

    A row without an answer is predicted as class K: it counts against accuracy and recall
    and against no class's precision.

    Attributes:
        gold: [M], in 0..K-1.
        predicted: [M], in 0..K.
        counts: [M], > 0.
        class_count: K.
    """

    gold: IntArray
    predicted: IntArray
    counts: IntArray
    class_count: int


def macro_f1(f1_scores: FloatArray) -> FloatArray:
    """Mean over classes of [..., K] F1 scores, leaving out those that are NaN.

    A class is NaN when it occurs neither in gold nor among the predictions: nothing was
    asked and nothing was said of it. One that is only predicted counts as 0.
    """
    present = ~np.isnan(f1_scores)
    total = np.where(present, f1_scores, 0.0).sum(axis=-1)
    share: FloatArray = total / np.maximum(present.sum(axis=-1), 1)
    return share


def class_f1(hits: IntArray, gold: IntArray, predicted: IntArray) -> FloatArray:
    """F1 = 2 TP / (gold + predicted) of [..., K] counts; NaN where both are 0."""
    seen = gold + predicted
    return np.where(seen > 0, 2 * hits / np.maximum(seen, 1), np.nan)


def accuracy_and_macro_f1(
    cells: ConfusionCells, *, seed: int, resamples: int = RESAMPLES
) -> tuple[Interval, Interval]:
    """Estimate both with their percentile intervals.

    Drawing N rows with replacement changes nothing but the counts of the confusion cells,
    which are then multinomial: so the cells are drawn, at a cost of M a resample, not N.

    Source: Efron and Tibshirani (1993), percentile bootstrap.
    """
    rows = int(cells.counts.sum())
    generator = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_CELLS // max(len(cells.counts), cells.class_count))
    drawn = [
        _scores(
            cells, generator.multinomial(rows, cells.counts / rows, size=min(chunk, resamples - at))
        )
        for at in range(0, resamples, chunk)
    ]
    exact = _scores(cells, cells.counts[None, :])
    accuracy, f1 = (
        _interval(float(value[0]), np.concatenate([part[place] for part in drawn]))
        for place, value in enumerate(exact)
    )
    return accuracy, f1


def paired_differences(
    gold: IntArray,
    first: IntArray,
    second: IntArray,
    *,
    class_count: int,
    seed: int,
    resamples: int = RESAMPLES,
) -> tuple[Interval, Interval]:
    """Accuracy and macro-F1 of the second answers less those of the first, on the same N rows.

    Both are measured on the same drawn rows, so that what is hard for both does not widen the
    interval: one that leaves 0 out says more than two intervals that do not meet.

    Args:
        gold: [N], in 0..K-1.
        first, second: [N], in 0..K-1.
        class_count: K.

    Source: Efron and Tibshirani (1993), percentile bootstrap of paired data.
    """
    rows = len(gold)
    cells, counts = np.unique(np.stack([gold, first, second]), axis=1, return_counts=True)
    before, after = (
        ConfusionCells(cells[0], predicted, counts, class_count) for predicted in cells[1:]
    )
    generator = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_CELLS // max(len(counts), class_count))
    drawn = [
        _differences(
            before,
            after,
            generator.multinomial(rows, counts / rows, size=min(chunk, resamples - at)),
        )
        for at in range(0, resamples, chunk)
    ]
    exact = _differences(before, after, counts[None, :])
    accuracy, f1 = (
        _interval(float(value[0]), np.concatenate([part[place] for part in drawn]))
        for place, value in enumerate(exact)
    )
    return accuracy, f1


def _differences(
    before: ConfusionCells, after: ConfusionCells, counts: IntArray
) -> tuple[FloatArray, FloatArray]:
    """[R] each, of R draws [R, M] of the cells that both tables share."""
    accuracy, f1 = _scores(before, counts)
    other_accuracy, other_f1 = _scores(after, counts)
    return other_accuracy - accuracy, other_f1 - f1


def _scores(cells: ConfusionCells, counts: IntArray) -> tuple[FloatArray, FloatArray]:
    """Accuracy and macro-F1, [R] each, of R tables with the given [R, M] cell counts."""
    right = cells.gold == cells.predicted
    hits = _sum_by_class(counts[:, right], cells.gold[right], cells.class_count)
    gold = _sum_by_class(counts, cells.gold, cells.class_count)
    answered = cells.predicted < cells.class_count
    predicted = _sum_by_class(counts[:, answered], cells.predicted[answered], cells.class_count)
    accuracy: FloatArray = hits.sum(axis=1) / counts.sum(axis=1)
    return accuracy, macro_f1(class_f1(hits, gold, predicted))


def _sum_by_class(counts: IntArray, classes: IntArray, class_count: int) -> IntArray:
    """Add up the columns of [R, M] that share a class: [R, K]."""
    sums = np.zeros((len(counts), class_count), dtype=np.int64)
    if len(classes):
        order = np.argsort(classes, kind="stable")
        present, starts = np.unique(classes[order], return_index=True)
        sums[:, present] = np.add.reduceat(counts[:, order], starts, axis=1)
    return sums


def _interval(value: float, drawn: FloatArray) -> Interval:
    tail = (1 - COVERAGE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(value, float(low), float(high))
