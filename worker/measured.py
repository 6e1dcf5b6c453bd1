"""Which rows show where teacher and student differ, and the file that is kept of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.artifacts import ArtifactStore
from core.label_files import Role
from core.lifecycle import Stage
from core.measured_files import UNKNOWN, Measured, write_measured
from llkd.specs import label_key
from llkd.types import FloatArray, IntArray
from worker.job import Job
from worker.pool import GoldRows, index_of, load_answers, pairs_of
from worker.protocol import Json

Source = Literal["gold", "certification", "held_out"]


@dataclass(frozen=True)
class ShownRows:
    """M rows that the student did not learn from, with the teacher's answers.

    Attributes:
        rows: [M], the place of each in the dataset that it is of.
        gold: [M], in 0..K-1, -1 where it is not known.
        teacher: [M], in 0..K-1, -1 where it gave none.
        confidence: [M], the teacher's own; NaN where unknown.
    """

    source: Source
    texts: Sequence[str]
    rows: IntArray
    gold: IntArray
    teacher: IntArray
    confidence: FloatArray

    def __len__(self) -> int:
        return len(self.texts)


def gold_rows(gold: GoldRows) -> ShownRows:
    """Those that measure."""
    return ShownRows(
        "gold", gold.texts, gold.rows, gold.gold, gold.teacher, gold.teacher_confidence
    )


def certification_rows(job: Job, outputs: Mapping[Stage, Json]) -> ShownRows:
    """Those that certify and were answered: drawn by lot, so what is seen here is fair."""
    index = index_of(job)
    files = job.dataset.rows_artifact, outputs[Stage.LABEL]["labels"]
    found = [
        (row["text"], place, index[label_key(entry["label"])], entry["confidence"])
        for place, (row, entry) in enumerate(pairs_of(job.artifacts, *files))
        if entry["role"] == Role.CERTIFICATION and entry["label"] is not None
    ]
    return ShownRows(
        "certification",
        [text for text, _, _, _ in found],
        np.array([place for _, place, _, _ in found], dtype=np.int64),
        np.full(len(found), UNKNOWN),
        np.array([label for _, _, label, _ in found], dtype=np.int64),
        np.array([confidence for _, _, _, confidence in found], dtype=np.float64),
    )


def held_out_rows(job: Job, outputs: Mapping[Stage, Json], held: IntArray) -> ShownRows:
    """Those that told when to stop: of the teacher's surest, so it is right more often here.

    Args:
        held: their places in the pool.
    """
    answers = load_answers(job, outputs)
    pool = answers.pool.take(held)
    return ShownRows(
        "held_out",
        pool.texts,
        answers.rows[held],
        np.full(len(pool), UNKNOWN) if pool.gold is None else pool.gold,
        pool.labels,
        pool.confidence,
    )


def keep_measured(artifacts: ArtifactStore, shown: ShownRows, probabilities: FloatArray) -> Json:
    """Store both answers to every row; what the evaluate stage's output says of that.

    Args:
        probabilities: [M, K], the student's.
    """
    measured = Measured(
        index=shown.rows,
        gold=shown.gold,
        teacher=shown.teacher,
        confidence=shown.confidence,
        student=probabilities.argmax(axis=1),
        score=probabilities.max(axis=1),
    )
    path = artifacts.scratch_path(".parquet")
    write_measured(path, measured)
    return {
        "measured": artifacts.put(path),
        "disagreements": {
            "source": shown.source,
            "rows": measured.compared,
            "total": len(measured.disagreements()),
        },
    }
