"""What a file of measured answers looks like: teacher and student on the same rows.

One entry a row that was measured, in the order of the dataset it stands in. Labels are places
among the job's labels.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

MEASURED_SCHEMA = pa.schema(
    [
        # Place of the row in its dataset.
        pa.field("index", pa.int64(), nullable=False),
        # Null where it is not known.
        pa.field("gold", pa.int32()),
        # Null where the teacher gave none.
        pa.field("teacher", pa.int32()),
        # The teacher's own; null where unknown.
        pa.field("confidence", pa.float64()),
        pa.field("student", pa.int32(), nullable=False),
        # The student's probability of its label.
        pa.field("score", pa.float64(), nullable=False),
    ]
)
UNKNOWN = -1


@dataclass(frozen=True)
class Measured:
    """The file's M rows as arrays.

    Attributes:
        index: [M], places in the dataset.
        gold: [M], in 0..K-1, -1 where it is not known.
        teacher: [M], in 0..K-1, -1 where it gave none.
        confidence: [M], NaN where unknown.
        student: [M], in 0..K-1.
        score: [M], in [0, 1].
    """

    index: NDArray[np.int64]
    gold: NDArray[np.int64]
    teacher: NDArray[np.int64]
    confidence: NDArray[np.float64]
    student: NDArray[np.int64]
    score: NDArray[np.float64]

    @property
    def compared(self) -> int:
        """Rows that both answered."""
        return int((self.teacher != UNKNOWN).sum())

    def disagreements(self) -> NDArray[np.int64]:
        """Places in the arrays where teacher and student differ, the surest first.

        As sure as the less sure of the two: that is where one of them is wrong for a reason.
        A confidence that is not known has no say.
        """
        places = np.flatnonzero((self.teacher != UNKNOWN) & (self.teacher != self.student))
        surety = np.fmin(self.confidence[places], self.score[places])
        found: NDArray[np.int64] = places[np.argsort(-surety, kind="stable")]
        return found


def write_measured(path: Path, measured: Measured) -> None:
    columns = [
        pa.array(values, type=field.type, mask=_unknown(values) if field.nullable else None)
        for field, values in zip(MEASURED_SCHEMA, vars(measured).values(), strict=True)
    ]
    pq.write_table(pa.Table.from_arrays(columns, schema=MEASURED_SCHEMA), path, compression="zstd")


def read_measured(path: Path) -> Measured:
    """The whole file: a million rows are 48 MB."""
    table = pq.read_table(path, schema=MEASURED_SCHEMA)
    return Measured(
        index=_integers(table, "index"),
        gold=_integers(table, "gold"),
        teacher=_integers(table, "teacher"),
        confidence=_numbers(table, "confidence"),
        student=_integers(table, "student"),
        score=_numbers(table, "score"),
    )


def _integers(table: pa.Table, name: str) -> NDArray[np.int64]:
    return np.asarray(table.column(name).fill_null(UNKNOWN), dtype=np.int64)


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    return np.asarray(table.column(name).fill_null(float("nan")), dtype=np.float64)


def _unknown(values: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.bool_]:
    unknown: NDArray[np.bool_] = np.isnan(values) if values.dtype.kind == "f" else values == UNKNOWN
    return unknown
