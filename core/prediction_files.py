"""What a file of predictions looks like, and how it is joined from parts and read.

Entry i is about entry i of the dataset's `rows` file, so the two are read side by side
without a join. The texts stand in the dataset alone: they go with it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from core.dataset_files import ROW_GROUP, iter_batches

# Name and probability of a label.
SCORE = pa.struct([("label", pa.string()), ("score", pa.float64())])
PREDICTIONS_SCHEMA = pa.schema(
    [
        # Null where the model abstained and was asked to give no label then.
        pa.field("label", pa.string()),
        # Probability of the best label, given or not; float64 and unrounded.
        pa.field("score", pa.float64(), nullable=False),
        pa.field("abstained", pa.bool_(), nullable=False),
        pa.field("truncated", pa.bool_(), nullable=False),
        pa.field("empty_input", pa.bool_(), nullable=False),
        # As many labels as were asked for, best first.
        pa.field("scores", pa.list_(SCORE), nullable=False),
    ]
)


def write_predictions(path: Path, tables: Iterable[pa.Table]) -> None:
    """Write the tables in order, holding one at a time; the same tables make the same bytes."""
    with pq.ParquetWriter(path, PREDICTIONS_SCHEMA, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table, row_group_size=ROW_GROUP)


def read_predictions(path: Path) -> pa.Table:
    """A whole file: for a part of one, which has few entries."""
    with pq.ParquetFile(path) as file:
        return file.read()


def iter_predictions(path: Path, *, size: int = ROW_GROUP) -> Iterator[list[dict[str, Any]]]:
    """All entries in order, `size` at a time."""
    return iter_batches(path, columns=PREDICTIONS_SCHEMA.names, size=size)
