"""Rows of a reader, and where in the file its bytes are no text."""

from collections.abc import Iterator

from app.datasets.reading.base import RowReader
from app.datasets.reading.opening import locate_encoding_error
from app.datasets.rows import Issue, RawRow


def located_rows(reader: RowReader) -> Iterator[RawRow | Issue]:
    """A reader's rows; bytes that are no text are named by their place in the file."""
    try:
        yield from reader.rows()
    except UnicodeDecodeError as error:
        raise locate_encoding_error(reader.path, reader.options) from error
