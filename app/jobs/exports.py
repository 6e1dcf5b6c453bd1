"""A file that is made while it is sent: entries in chunks, written in one of three formats."""

import csv as csv_files
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

CHUNK_ROWS = 1000
Entry = dict[str, Any]


def side_by_side(
    rows: Iterable[Sequence[Entry]],
    answers: Iterable[Sequence[Entry]],
    entry: Callable[[int, Entry, Entry], Entry],
) -> Iterator[list[Entry]]:
    """What two files say of the same texts, a thousand entries at a time.

    Args:
        rows, answers: the two files in batches, which may be cut at different places.
        entry: makes an entry of its place and of what the two say.

    Raises:
        ValueError: one has more entries than the other.
    """
    flat = zip(chain.from_iterable(rows), chain.from_iterable(answers), strict=True)
    entries = (entry(index, row, answer) for index, (row, answer) in enumerate(flat))
    while chunk := list(islice(entries, CHUNK_ROWS)):
        yield chunk


def jsonl(chunks: Iterable[Sequence[Entry]]) -> Iterator[bytes]:
    """One JSON object a line."""
    for chunk in chunks:
        yield b"".join(orjson.dumps(entry) + b"\n" for entry in chunk)


def csv(
    chunks: Iterable[Sequence[Entry]],
    columns: Sequence[str],
    *,
    nested: str,
    escape: Callable[[str], str],
) -> Iterator[bytes]:
    """A header, and a line an entry.

    Args:
        columns: of plain values.
        nested: the last column, written as JSON.
        escape: is done to each text.
    """
    written = io.StringIO(newline="")
    writer = csv_files.writer(written)
    writer.writerow([*columns, nested])
    for chunk in chunks:
        for entry in chunk:
            cells = [entry[name] for name in columns]
            writer.writerow(
                [escape(cell) if isinstance(cell, str) else cell for cell in cells]
                + [orjson.dumps(entry[nested]).decode()]
            )
        yield written.getvalue().encode()
        written.seek(0)
        written.truncate()


def parquet(chunks: Iterable[Sequence[Entry]], schema: pa.Schema) -> Iterator[bytes]:
    """A row group a chunk."""
    sink = _Sink()
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for chunk in chunks:
            writer.write_table(pa.Table.from_pylist(list(chunk), schema))
            yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """Takes what a writer writes and gives it away in pieces; knows how much there was."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        content = bytes(piece)
        self._pieces.append(content)
        self._written += len(content)
        return len(content)

    def tell(self) -> int:
        return self._written

    def take(self) -> bytes:
        """What was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
