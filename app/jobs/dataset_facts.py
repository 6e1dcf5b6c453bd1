"""What a job's request needs to know of a dataset's file, without reading its texts."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

TEACHER_COLUMNS = ("teacher_label", "teacher_probabilities", "teacher_votes")


@dataclass(frozen=True)
class DatasetFacts:
    """Counts of a file of different texts.

    Attributes:
        rows: different texts.
        gold_rows: texts with a gold label.
        provided_rows: texts with an answer of a teacher, at the most: one row may have
            a label, and probabilities or votes beside it.
    """

    rows: int
    gold_rows: int
    provided_rows: int


def read_facts(path: Path) -> DatasetFacts:
    """Read the file's footer alone."""
    metadata = pq.read_metadata(path)
    columns: dict[str, list[pq.ColumnChunkMetaData]] = {}
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(place)
            columns.setdefault(chunk.path_in_schema, []).append(chunk)
    return DatasetFacts(
        rows=metadata.num_rows,
        gold_rows=_present(columns.get("gold", [])),
        provided_rows=min(
            metadata.num_rows, sum(_present(columns.get(name, [])) for name in TEACHER_COLUMNS)
        ),
    )


def read_gold_labels(path: Path) -> frozenset[str]:
    """The different gold labels; reads that column alone, a row group at a time."""
    found: set[str] = set()
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["gold"]):
            found.update(batch.column(0).unique().drop_null().to_pylist())
    return frozenset(found)


def _present(chunks: Iterable[pq.ColumnChunkMetaData]) -> int:
    """Values that are not null; a chunk without statistics counts as full."""
    total = 0
    for chunk in chunks:
        statistics = chunk.statistics
        known = statistics is not None and statistics.has_null_count
        total += chunk.num_values - (statistics.null_count if known else 0)
    return total
