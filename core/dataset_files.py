"""What a dataset's two files look like, and how they are read a page or a batch at a time.

`rows` holds one entry a different text, in order of first appearance; `issues` one
entry a row that was set aside. Both are Parquet with row groups of `ROW_GROUP`, so a
page in the middle of millions costs one group, not the file.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROW_GROUP = 4096
DRAWN_GROUPS = 16

ROWS_SCHEMA = pa.schema(
    [
        pa.field("text", pa.string(), nullable=False),
        # How often this text was in the file.
        pa.field("copies", pa.int32(), nullable=False),
        # Line (text formats) or row number (Parquet, JSON) of its first appearance; from 1.
        pa.field("line", pa.int64(), nullable=False),
        pa.field("gold", pa.string()),
        pa.field("teacher_label", pa.string()),
        pa.field("teacher_confidence", pa.float64()),
        # JSON object, label to probability, as it was given.
        pa.field("teacher_probabilities", pa.string()),
        # JSON object, label to number of votes; the first datasets have no such column.
        pa.field("teacher_votes", pa.string()),
    ]
)

ISSUES_SCHEMA = pa.schema(
    [
        pa.field("line", pa.int64(), nullable=False),
        pa.field("column", pa.string()),
        pa.field("code", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
        # The part of the form it was in; the first datasets have no such column.
        pa.field("part", pa.string(), nullable=False),
    ]
)


def count_rows(path: Path) -> int:
    with pq.ParquetFile(path) as file:
        return int(file.metadata.num_rows)


def read_page(path: Path, *, offset: int, limit: int) -> list[dict[str, Any]]:
    """Entries offset .. offset+limit-1, each with its `index`, reading only their row groups."""
    found: list[dict[str, Any]] = []
    with pq.ParquetFile(path) as file:
        start = 0
        for group in range(file.metadata.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            if start + size > offset and start < offset + limit:
                table = file.read_row_group(group)
                first = max(0, offset - start)
                part = table.slice(first, min(size, offset + limit - start) - first)
                found += [
                    {"index": start + first + position, **entry}
                    for position, entry in enumerate(part.to_pylist())
                ]
            start += size
            if start >= offset + limit:
                break
    return found


def read_texts(path: Path, indices: Collection[int]) -> dict[int, str]:
    """The texts at these places by place, reading only their row groups; others are left out."""
    found: dict[int, str] = {}
    with pq.ParquetFile(path) as file:
        start = 0
        for group in range(file.metadata.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            wanted = sorted(index for index in indices if start <= index < start + size)
            if wanted:
                texts = file.read_row_group(group, columns=["text"]).column("text")
                found |= {index: texts[index - start].as_py() for index in wanted}
            start += size
    return found


def iter_texts(path: Path, *, start: int, size: int) -> Iterator[list[str]]:
    """The texts from place `start` on, `size` at a time, the last time fewer; row groups before
    that place are not read, and memory is that of one and of a batch."""
    with pq.ParquetFile(path) as file:
        before, waiting = 0, list[str]()
        for group in range(file.metadata.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if before + rows > start:
                texts = file.read_row_group(group, columns=["text"]).column("text").to_pylist()
                waiting += texts[max(0, start - before) :]
            before += rows
            while len(waiting) >= size:
                yield waiting[:size]
                waiting = waiting[size:]
        if waiting:
            yield waiting


def draw_texts(path: Path, *, most: int) -> list[str]:
    """At most so many texts, drawn by lot, the same ones each time.

    They are drawn among at most `DRAWN_GROUPS` row groups, themselves drawn by lot, so that a
    file of millions is not read as a whole.
    """
    return _draw(path, most=most, filters=None)


def draw_gold_texts(path: Path, *, most: int) -> list[str]:
    """The same among the texts with gold."""
    return _draw(path, most=most, filters=pc.field("gold").is_valid())


def _draw(path: Path, *, most: int, filters: pc.Expression | None) -> list[str]:
    lot = np.random.default_rng(0)
    with pq.ParquetFile(path) as file:
        groups = lot.permutation(file.metadata.num_row_groups)[:DRAWN_GROUPS]
        table = file.read_row_groups(sorted(groups.tolist()), columns=["text", "gold"])
    if filters is not None:
        table = table.filter(filters)
    texts = table.column("text")
    places = lot.permutation(len(texts))[:most]
    return [texts[place].as_py() for place in sorted(places.tolist())]


def iter_batches(path: Path, *, columns: list[str], size: int) -> Iterator[list[dict[str, Any]]]:
    """All entries in order, `size` at a time; memory is one row group's."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=size, columns=columns):
            yield batch.to_pylist()
