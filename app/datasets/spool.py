"""The two passes' paper: every kept row written once, read back once, as two Parquet files.

How often a text appears is known only at the end of the file, and rows.parquet says it
at the first appearance; so kept rows wait on disk, in Arrow's own form, which costs
little more than copying them.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from app.datasets.dedupe import Distinct
from app.datasets.rows import Answer, CleanRow, Issue
from core.dataset_files import ISSUES_SCHEMA, ROW_GROUP, ROWS_SCHEMA

# Texts may be long: a batch or a row group ends early at this many bytes.
BATCH_BYTES = 8 * 1024 * 1024
# A row with a value in any of these has a teacher's answer.
ANSWER_COLUMNS = ("teacher_label", "teacher_probabilities", "teacher_votes")
FindAnswers = Callable[[Sequence[str]], Sequence[Answer]]
SPOOLED = pa.schema(
    [ROWS_SCHEMA.field(name) for name in ROWS_SCHEMA.names if name not in {"copies", "gold"}]
)


class Spool:
    """Kept rows, on disk in the order they came."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sink = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_stream(self._sink, SPOOLED)
        self._rows: list[tuple[Any, ...]] = []
        self._bytes = 0

    def add(self, row: CleanRow) -> None:
        self._rows.append((row.text, row.line, *row.answer))
        answered = len(row.teacher_probabilities or "") + len(row.teacher_votes or "")
        self._bytes += len(row.content) + answered
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
    path: Path,
    spool: Spool,
    distinct: Distinct,
    *,
    labels: list[str],
    answers: FindAnswers | None = None,
) -> int:
    """Write rows.parquet: the first appearance of each text, with what its copies add.

    Args:
        labels: gold labels by code.
        answers: where the teacher's answers to the texts are, if not in their rows.

    Returns:
        How many texts carry a teacher's answer.
    """
    answered = 0
    names = pa.array(labels, type=pa.string())
    with pq.ParquetWriter(
        path,
        ROWS_SCHEMA,
        compression="zstd",
        use_dictionary=["gold", "teacher_label"],
        # Null counts, from which a job's request is checked; those of texts would only be long.
        write_statistics=[name for name in ROWS_SCHEMA.names if name != "text"],
    ) as writer:
        tables = _first_appearances(spool, distinct, names=names)
        for group in _row_groups(tables if answers is None else _answered(tables, answers)):
            given = [pc.is_valid(group[name]) for name in ANSWER_COLUMNS]
            answered += pc.sum(reduce(pc.or_, given)).as_py()
            writer.write_table(group, row_group_size=group.num_rows)
    return answered


def _first_appearances(spool: Spool, distinct: Distinct, *, names: pa.Array) -> Iterator[pa.Table]:
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
        kept = pa.Table.from_batches([batch.filter(pa.array(first))])
        columns = {name: kept[name] for name in SPOOLED.names}
        columns["copies"] = pa.array(copies[first])
        columns["gold"] = names.take(pa.array(codes, mask=codes < 0, type=pa.int16()))
        yield pa.table([columns[name] for name in ROWS_SCHEMA.names], schema=ROWS_SCHEMA)


def _answered(tables: Iterator[pa.Table], answers: FindAnswers) -> Iterator[pa.Table]:
    """The same rows with the answers to their texts, in place of their own."""
    for table in tables:
        found = answers(table["text"].to_pylist())
        columns = dict(zip(Answer._fields, zip(*found, strict=True), strict=True))
        for name, values in columns.items():
            place = table.schema.get_field_index(name)
            field = table.schema.field(name)
            table = table.set_column(place, field, pa.array(values, type=field.type))
        yield table


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
