"""What a file of pseudo-labels looks like, and how it is written and read.

Entry i is about entry i of the dataset's `rows` file, so the two are read side by side
without a join. Evaluation rows and rows nobody asked about stand in it too.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from core.dataset_files import ROW_GROUP, iter_batches
from core.dataset_files import read_page as _read_page


class Role(StrEnum):
    """What a row of a dataset is for in one job."""

    TRAIN = "train"
    # Its gold label measures teacher and student, and it is not trained on.
    EVALUATION = "evaluation"
    # The teacher's answer certifies what the student may answer itself; not trained on.
    CERTIFICATION = "certification"
    # Not trained on, because the evaluation dataset holds the same text.
    EXCLUDED = "excluded"


# The confidence source of a label that a person gave in the teacher's place. The confidence
# beside it is 1: nothing tells how sure a person was.
PERSON = "person"

# The status of a row that the teacher was not asked about: excluded, or beyond the budget.
# Every other status is a value of llkd.types.AnswerStatus.
UNASKED = "unasked"

LABELS_SCHEMA = pa.schema(
    [
        pa.field("role", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        # Name of the pseudo-label; null unless the status is `answered`.
        pa.field("label", pa.string()),
        # In the order of the job's labels, float64 and unrounded; null when unknown.
        pa.field("probabilities", pa.list_(pa.float64())),
        pa.field("confidence", pa.float64()),
        pa.field("confidence_source", pa.string(), nullable=False),
        # Whether another job had bought the answer.
        pa.field("cached", pa.bool_(), nullable=False),
        # By which calibration the confidence was changed; null where by none, and in files
        # of releases that knew none.
        pa.field("calibration_id", pa.string()),
    ]
)


@dataclass(frozen=True)
class LabelEntry:
    """One row of the file; see `LABELS_SCHEMA`."""

    role: Role
    status: str
    label: str | None = None
    probabilities: Sequence[float] | None = None
    confidence: float | None = None
    confidence_source: str = "none"
    cached: bool = False
    calibration_id: str | None = None


def write_labels(path: Path, chunks: Iterable[Sequence[LabelEntry]]) -> int:
    """Write the chunks in order, holding one at a time; returns the number of entries."""
    written = 0
    with pq.ParquetWriter(path, LABELS_SCHEMA, compression="zstd") as writer:
        for chunk in chunks:
            table = pa.Table.from_pylist([vars(entry) for entry in chunk], LABELS_SCHEMA)
            writer.write_table(table, row_group_size=ROW_GROUP)
            written += len(chunk)
    return written


def read_page(path: Path, *, offset: int, limit: int) -> list[dict[str, Any]]:
    """Entries offset .. offset+limit-1 as dicts, each with its `index` in the dataset."""
    return [_whole(entry) for entry in _read_page(path, offset=offset, limit=limit)]


def read_roles(path: Path, indices: Collection[int]) -> dict[int, Role]:
    """The roles of these rows by place, reading only their row groups; others are left out."""
    found: dict[int, Role] = {}
    with pq.ParquetFile(path) as file:
        start = 0
        for group in range(file.metadata.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            wanted = [index for index in indices if start <= index < start + size]
            if wanted:
                roles = file.read_row_group(group, columns=["role"]).column("role")
                found |= {index: Role(roles[index - start].as_py()) for index in wanted}
            start += size
    return found


def is_persons(entry: Mapping[str, Any]) -> bool:
    """Whether the label of this entry is a person's, and not the teacher's."""
    return bool(entry["confidence_source"] == PERSON)


def iter_labels(path: Path, *, size: int = ROW_GROUP) -> Iterator[list[dict[str, Any]]]:
    """All entries in order, `size` at a time."""
    for batch in iter_batches(path, columns=LABELS_SCHEMA.names, size=size):
        yield [_whole(entry) for entry in batch]


def _whole(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry with the columns that files of earlier releases lack."""
    return {"calibration_id": None, **entry}
