"""Parquet, read column by column and batch by batch; a file's own claims are checked first."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from app.datasets.errors import (
    BadDataset,
    DecompressionLimit,
    EmptyDataset,
    EmptyFile,
    FieldTooLarge,
    FileTypeMismatch,
    MalformedParquet,
    TooManyRows,
    UnsupportedParquet,
    WrongColumnType,
    at_line,
)
from app.datasets.options import (
    MAX_FIELD_CHARACTERS,
    MAX_RATIO,
    MAX_ROWS,
    RATIO_FREE_BYTES,
    Columns,
    ReadOptions,
)
from app.datasets.reading.base import check_header
from app.datasets.rows import Issue, RawRow

MAGIC = b"PAR1"
ENCRYPTED_MAGIC = b"PARE"
# A footer lists every row group and column; this much names millions.
MAX_FOOTER_BYTES = 32 * 1024 * 1024
MAX_FOOTER_ENTRIES = 10_000_000
MAX_ROW_GROUPS = 50_000
BATCH_BYTES = 16 * 1024 * 1024
BATCH_ROWS = 4096
STREAM_BYTES = 1024 * 1024
# Text is taken as UTF-8 in reading; a string that is not one becomes this and is set aside.
BROKEN = "\ud800"
OBJECT = "string, or a struct or map with a number for each label"


class ParquetReader:
    """Reads .parquet; a row's line is its number in the file, from 1."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self.path = path
        self.options = options
        self._columns = options.columns
        self._names: list[str] = []

    @property
    def column_names(self) -> Sequence[str]:
        return self._names

    def rows(self) -> Iterator[RawRow | Issue]:
        refuse_by_ends(self.path)
        with _opened(self.path) as file:
            with _arrow_errors():
                schema = file.schema_arrow
            self._names = list(schema.names)
            check_header(self._names, self._columns)
            check_types(schema, self._columns)
            check_size(file.metadata, self._columns)
        # A dictionary stays one: a long text repeated a million times is read once.
        with _opened(self.path, read_dictionary=[self._columns.text]) as file:
            yield from self._read(file, file.metadata)

    def _read(self, file: pq.ParquetFile, metadata: Any) -> Iterator[RawRow]:
        names = list(dict.fromkeys(self._columns.wanted()))
        parts = (
            self._columns.text,
            self._columns.label,
            self._columns.teacher_label,
            self._columns.teacher_confidence,
            self._columns.teacher_probabilities,
            self._columns.teacher_votes,
        )
        places = [None if part is None else names.index(part) for part in parts]
        number = 0
        for batch in _batches(file, columns=names, size=batch_size(metadata, self._columns)):
            with _arrow_errors():
                values = [_values(batch.column(name)) for name in names]
            empty = [None] * batch.num_rows
            picked = [empty if place is None else values[place] for place in places]
            for row in zip(*picked, strict=True):
                number += 1
                if row[0] is not None and len(row[0]) > MAX_FIELD_CHARACTERS:
                    longer = f"the text is longer than {MAX_FIELD_CHARACTERS} characters"
                    raise at_line(FieldTooLarge, number, longer)
                yield RawRow(number, *row)


def refuse_by_ends(path: Path) -> None:
    """Refuse by the first and last bytes, before anything parses what is between."""
    size = path.stat().st_size
    if size == 0:
        raise EmptyFile("The file holds no bytes.")
    with path.open("rb") as opened:
        head = opened.read(4)
        opened.seek(max(0, size - 8))
        tail = opened.read(8)
    if head == ENCRYPTED_MAGIC or tail[-4:] == ENCRYPTED_MAGIC:
        raise UnsupportedParquet("Encrypted Parquet files are not read.")
    if head != MAGIC:
        raise FileTypeMismatch("The name says .parquet, but the content is not Parquet.")
    if size < 12 or tail[-4:] != MAGIC:
        raise MalformedParquet("The file is cut short: it does not end as Parquet files do.")
    footer = int.from_bytes(tail[:4], "little")
    if footer > MAX_FOOTER_BYTES:
        raise UnsupportedParquet(f"The footer is {footer} bytes long; files are not so described.")


def check_types(schema: pa.Schema, columns: Columns) -> None:
    """Refuse columns whose values could only be guessed to be texts, labels or numbers."""
    for name in schema.names:
        if isinstance(schema.field(name).type, pa.BaseExtensionType):
            raise UnsupportedParquet(f"Column {name[:80]!r} has an extension type.")
    _require(schema, columns.text, is_text, "string, large_string or dictionary of strings")
    for label in (columns.label, columns.teacher_label):
        _require(schema, label, lambda kind: is_text(kind) or _is_whole(kind), "string or integer")
    _require(schema, columns.teacher_confidence, _is_number, "float, integer or string")
    _require(schema, columns.teacher_probabilities, _is_object, OBJECT)
    _require(
        schema,
        columns.teacher_votes,
        lambda kind: _is_object(kind) or _is_list_of_labels(kind),
        f"{OBJECT}, or list of strings or integers",
    )


def check_size(metadata: Any, columns: Columns) -> None:
    """Refuse what the footer itself says is too much; what it hides, the child's limits meet."""
    if metadata.num_row_groups > MAX_ROW_GROUPS:
        raise UnsupportedParquet(f"The file has {metadata.num_row_groups} row groups.")
    if metadata.num_rows > MAX_ROWS:
        raise TooManyRows(f"The file has {metadata.num_rows} rows; at most {MAX_ROWS} are read.")
    if metadata.num_rows == 0:
        raise EmptyDataset("The file has columns and no rows.")
    packed, unpacked = _column_bytes(metadata, columns)
    if unpacked > max(RATIO_FREE_BYTES, packed * MAX_RATIO):
        raise DecompressionLimit(f"{packed} bytes would unpack to {unpacked}.")


def batch_size(metadata: Any, columns: Columns) -> int:
    """Rows to read at once so that they take about BATCH_BYTES."""
    _, unpacked = _column_bytes(metadata, columns)
    rows: int = metadata.num_rows
    return max(16, min(BATCH_ROWS, BATCH_BYTES * rows // max(1, unpacked)))


def is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _is_whole(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(is_text(kind) or pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _is_object(kind: pa.DataType) -> bool:
    """Text, or numbers by label; other values may be none that Python has."""
    if pa.types.is_map(kind):
        is_label = is_text(kind.key_type) or _is_whole(kind.key_type)
        return is_label and _is_amount(kind.item_type)
    if pa.types.is_struct(kind):
        names = [kind.field(place).name for place in range(kind.num_fields)]
        amounts = (_is_amount(kind.field(place).type) for place in range(kind.num_fields))
        return len(set(names)) == len(names) and all(amounts)
    return is_text(kind)


def _is_amount(kind: pa.DataType) -> bool:
    is_number = pa.types.is_floating(kind) or pa.types.is_integer(kind)
    return bool(is_number or pa.types.is_null(kind))


def _is_list_of_labels(kind: pa.DataType) -> bool:
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return False
    return is_text(kind.value_type) or _is_whole(kind.value_type)


def _require(schema: pa.Schema, name: str | None, fits: Any, wanted: str) -> None:
    if name is not None and not fits(schema.field(name).type):
        raise WrongColumnType(
            f"Column {name[:80]!r} is of type {str(schema.field(name).type)[:200]}; "
            f"{wanted} was expected."
        )


def _column_bytes(metadata: Any, columns: Columns) -> tuple[int, int]:
    """Packed and unpacked bytes of the columns that will be read, as the footer has them."""
    wanted = set(columns.wanted())
    paths = [metadata.schema.column(place).path for place in range(metadata.num_columns)]
    places = [
        place
        for place, path in enumerate(paths)
        if path in wanted or path.partition(".")[0] in wanted
    ]
    packed = unpacked = 0
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for place in places:
            column = row_group.column(place)
            packed += column.total_compressed_size
            unpacked += column.total_uncompressed_size
    return packed, unpacked


def _opened(path: Path, *, read_dictionary: Sequence[str] = ()) -> pq.ParquetFile:
    with _arrow_errors():
        return pq.ParquetFile(
            path,
            pre_buffer=False,
            buffer_size=STREAM_BYTES,
            read_dictionary=list(read_dictionary),
            thrift_string_size_limit=MAX_FOOTER_BYTES,
            thrift_container_size_limit=MAX_FOOTER_ENTRIES,
        )


def _batches(file: pq.ParquetFile, *, columns: list[str], size: int) -> Iterator[pa.RecordBatch]:
    with _arrow_errors():
        yield from file.iter_batches(batch_size=size, columns=columns, use_threads=False)


def _values(column: pa.Array) -> list[Any]:
    """The column as Python values; text that is not UTF-8 becomes BROKEN."""
    if pa.types.is_dictionary(column.type):
        # Rows with one text share one object, as they do in the file.
        entries = _values(column.dictionary)
        places = column.indices.to_pylist()
        # Arrow does not look; a negative one would quietly be another row's text.
        if not all(place is None or 0 <= place < len(entries) for place in places):
            raise MalformedParquet("A dictionary does not hold what a row refers to.")
        return [None if place is None else entries[place] for place in places]
    try:
        values: list[Any] = column.to_pylist(maps_as_pydicts="strict")
    except (UnicodeDecodeError, KeyError):
        return [_decoded(value) for value in column]
    return values


def _decoded(value: pa.Scalar) -> Any:
    try:
        return value.as_py(maps_as_pydicts="strict")
    except UnicodeDecodeError:
        return BROKEN
    except KeyError:
        # A map with one key twice: its pairs, which are no value of any column.
        return value.as_py()


@contextmanager
def _arrow_errors() -> Iterator[None]:
    """Say of Arrow's own errors what they mean for the file."""
    try:
        yield
    except (BadDataset, GeneratorExit):
        raise
    except pa.ArrowMemoryError as error:
        raise DecompressionLimit("Reading the file takes more memory than is given.") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        first = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise MalformedParquet(f"The file cannot be read: {first}") from error
