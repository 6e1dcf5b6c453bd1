"""The two passes' paper: every kept row written once, read back once, as two Parquet files.

How often a text appears is known only at the end of the file, and rows.parquet says it
at the first appearance; so kept rows wait on disk, in Arrow's own form, which costs
little more than copying them.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from app.datasets.dedupe import Distinct
from app.datasets.rows import Answer, CleanRow, Issue
from core.dataset_files import ISSUES_SCHEMA, ROW_GROUP, ROWS_SCHEMA

# Texts may be long: a batch or a row group ends early at this many bytes.
BATCH_BYTES = 8 * 1024 * 1024
FindAnswers = Callable[[Sequence[str]], Sequence[Answer]]
SPOOLED = pa.schema([ROWS_SCHEMA.field(name) for name in ("text", "line")])
UNANSWERED = pa.schema(
    [ROWS_SCHEMA.field(name) for name in ROWS_SCHEMA.names if name not in Answer._fields]
)
# Each of them may say something of a thousand labels: these fit in memory at once.
ASKED_AT_ONCE = 1024


class Spool:
    """Kept rows, on disk in the order they came."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sink = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_stream(self._sink, SPOOLED)
        self._rows: list[tuple[Any, ...]] = []
        self._bytes = 0

    def add(self, row: CleanRow) -> None:
        self._rows.append((row.text, row.line))
        self._bytes += len(row.content)
        if len(self._rows) >= ROW_GROUP or self._bytes >= BATCH_BYTES:
            self._flush()

    def finish(self) -> None:
        self._flush()
        self._writer.close()
        self._sink.close()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """What was added, in order; after `finish`."""
        with pa.OSFile(str(self._path), "rb") as source, pa.ipc.open_stream(source) as stream:
            yield from stream

    def _flush(self) -> None:
        if not self._rows:
            return
        columns = [
            pa.array(values, type=field.type)
            for values, field in zip(zip(*self._rows, strict=True), SPOOLED, strict=True)
        ]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=SPOOLED))
        self._rows.clear()
        self._bytes = 0


class IssueFile:
    """issues.parquet, written as issues come."""

    def __init__(self, path: Path) -> None:
        self._writer = pq.ParquetWriter(path, ISSUES_SCHEMA, compression="zstd")
        self._issues: list[Issue] = []

    def add(self, issue: Issue) -> None:
        self._issues.append(issue)
        if len(self._issues) >= ROW_GROUP:
            self._flush()

    def __enter__(self) -> "IssueFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        entries = [issue._asdict() for issue in self._issues]
        self._writer.write_table(pa.Table.from_pylist(entries, schema=ISSUES_SCHEMA))
        self._issues.clear()


def write_rows(
    path: Path, spool: Spool, distinct: Distinct, *, labels: list[str], answers: FindAnswers
) -> None:
    """Write rows.parquet: the first appearance of each text, with what is known of it.

    Args:
        labels: gold labels by code.
        answers: finds the teacher's answers to texts.
    """
    names = pa.array(labels, type=pa.string())
    with pq.ParquetWriter(
        path,
        ROWS_SCHEMA,
        compression="zstd",
        use_dictionary=["gold", "teacher_label"],
        # Null counts, from which a job's request is checked; those of texts would only be long.
        write_statistics=[name for name in ROWS_SCHEMA.names if name != "text"],
    ) as writer:
        for group in _row_groups(_answered(_first_appearances(spool, distinct, names), answers)):
            writer.write_table(group, row_group_size=group.num_rows)


def _first_appearances(spool: Spool, distinct: Distinct, names: pa.Array) -> Iterator[pa.Table]:
    """Tables of the columns that are no teacher's."""
    start = 0
    for batch in spool.batches():
        stop = start + batch.num_rows
        copies = distinct.copies[start:stop]
        codes = distinct.gold[start:stop]
        start = stop
        first = copies > 0
        if not first.any():
            continue
        codes = codes[first]
        kept = batch.filter(pa.array(first))
        gold = names.take(pa.array(codes, mask=codes < 0, type=pa.int16()))
        columns = [kept["text"], pa.array(copies[first]), kept["line"], gold]
        yield pa.table(columns, schema=UNANSWERED)


def _answered(tables: Iterator[pa.Table], answers: FindAnswers) -> Iterator[pa.Table]:
    """The same rows with the answers to their texts beside them."""
    for table in tables:
        for start in range(0, table.num_rows, ASKED_AT_ONCE):
            part = table.slice(start, ASKED_AT_ONCE)
            found = answers(part["text"].to_pylist())
            said = [
                pa.array(values, type=ROWS_SCHEMA.field(name).type)
                for name, values in zip(Answer._fields, zip(*found, strict=True), strict=True)
            ]
            yield pa.table([*part.columns, *said], schema=ROWS_SCHEMA)


def _row_groups(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same rows, cut after ROW_GROUP of them or earlier where texts are long."""
    waiting: list[pa.Table] = []
    rows = size = 0
    for table in tables:
        while table.num_rows:
            part = table.slice(0, ROW_GROUP - rows)
            table = table.slice(part.num_rows)
            waiting.append(part)
            rows += part.num_rows
            size += part.nbytes
            if rows == ROW_GROUP or size >= BATCH_BYTES:
                yield pa.concat_tables(waiting).combine_chunks()
                waiting, rows, size = [], 0, 0
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()


def gold_counts(distinct: Distinct, *, labels: list[str]) -> dict[str, int]:
    """How many texts have each gold label."""
    codes = distinct.gold[distinct.gold >= 0]
    counts = np.bincount(codes, minlength=len(labels))
    return {label: int(count) for label, count in zip(labels, counts, strict=True) if count}
