"""A model's probabilities as the table that is stored, and what is counted of it."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.prediction_files import PREDICTIONS_SCHEMA, SCORE
from llkd.specs import AnswerSpec
from llkd.types import Classified
from worker.protocol import Json


def tabulate(
    texts: Sequence[str], classified: Classified, *, labels: Sequence[str], spec: AnswerSpec
) -> pa.Table:
    """One entry a text, in order; see `core.prediction_files.PREDICTIONS_SCHEMA`."""
    shown = min(spec.top_k or len(labels), len(labels))
    # Stable, as `POST /predict` sorts: equal probabilities keep the order of the label set.
    order = np.argsort(-classified.probabilities, axis=1, kind="stable")[:, :shown]  # [N, shown]
    scores = np.take_along_axis(classified.probabilities, order, axis=1)
    best = scores[:, 0]
    abstained = best < (0.0 if spec.threshold is None else spec.threshold)
    hidden = abstained if spec.on_low_confidence == "abstain" else np.zeros_like(abstained)
    names = pa.array(labels, pa.string())
    pairs = pa.StructArray.from_arrays(
        [names.take(pa.array(order.ravel())), pa.array(scores.ravel())], fields=list(SCORE)
    )
    offsets = np.arange(0, shown * len(texts) + 1, shown, dtype=np.int32)
    columns = [
        names.take(pa.array(order[:, 0], mask=hidden)),
        pa.array(best),
        pa.array(abstained),
        pa.array(classified.truncated),
        pa.array([not text.strip() for text in texts], pa.bool_()),
        pa.ListArray.from_arrays(offsets, pairs),
    ]
    return pa.Table.from_arrays(columns, schema=PREDICTIONS_SCHEMA)


class PredictionTally:
    """Counts entries by what became of them."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._flags = dict.fromkeys(("abstained", "truncated", "empty_input"), 0)
        self._by_label = dict.fromkeys(labels, 0)
        self.rows = 0

    def add(self, table: pa.Table) -> Self:
        self.rows += table.num_rows
        for name in self._flags:
            self._flags[name] += pc.sum(table.column(name)).as_py()
        for found in pc.value_counts(table.column("label")).to_pylist():
            if found["values"] is not None:
                self._by_label[found["values"]] += found["counts"]
        return self

    def counts(self) -> Json:
        """Entries with a label, those with each flag, and those with each label."""
        return {
            "predicted": sum(self._by_label.values()),
            **self._flags,
            "labels": dict(self._by_label),
        }
