"""Delimited text: a header, then rows of as many fields, quoted as RFC 4180 says."""

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from app.datasets.errors import (
    BadDataset,
    EmptyDataset,
    FieldTooLarge,
    LineTooLong,
    MalformedRow,
    at_line,
)
from app.datasets.options import MAX_FIELD_CHARACTERS, Columns, Format, OnBadRow, ReadOptions
from app.datasets.reading.base import check_header, require_columns
from app.datasets.reading.opening import open_text
from app.datasets.rows import Issue, RawRow
from core.texts import normalized

# An unclosed quote would make one field of the rest of the file.
MAX_FIELD_LINES = 1000
# A line may hold many fields; one as long as this holds no rows.
MAX_LINE_CHARACTERS = 8 * MAX_FIELD_CHARACTERS
Pick = Callable[[Sequence[str], int], RawRow]


class CsvReader:
    """Reads .csv and .tsv; `columns` are found by the names in the first line."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self.path = path
        self.options = options
        self._names: list[str] = []

    @property
    def column_names(self) -> Sequence[str]:
        return self._names

    def rows(self) -> Iterator[RawRow | Issue]:
        csv.field_size_limit(MAX_FIELD_CHARACTERS)
        with open_text(self.path, self.options, newline="") as text:
            lines = _Lines(text)
            delimiter = self._delimiter()
            reader = csv.reader(iter(lines), delimiter=delimiter, strict=True)
            self._names = self._read_header(reader, delimiter)
            lines.row_began_after = reader.line_num
            pick = picker(self._names, self.options.columns)
            while True:
                began = reader.line_num + 1
                try:
                    fields = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield self._bad_row(began, _explained(error))
                else:
                    # A line with nothing on it is no row, as spreadsheets have it.
                    if len(fields) == len(self._names):
                        yield pick(fields, began)
                    elif fields:
                        yield self._bad_row(began, _ragged(fields, self._names))
                lines.row_began_after = reader.line_num

    def _delimiter(self) -> str:
        if self.options.delimiter is not None:
            return self.options.delimiter
        return "\t" if self.options.format is Format.TSV else ","

    def _read_header(self, reader: Iterator[list[str]], delimiter: str) -> list[str]:
        try:
            names = [normalized(name) for name in next(filter(None, reader))]
        except StopIteration:
            raise EmptyDataset("The file has no header and no rows.") from None
        except csv.Error as error:
            raise at_line(MalformedRow, 1, f"The header: {_explained(error)[1]}") from error
        hint = ""
        if len(names) == 1 and any(other in names[0] for other in ",;\t|"):
            hint = f" It was read with the delimiter {delimiter!r}; `delimiter` names another."
        if hint:
            require_columns(names, self.options.columns, hint=hint)
        check_header(names, self.options.columns)
        return names

    def _bad_row(self, line: int, fault: tuple[type[BadDataset], str]) -> Issue:
        kind, message = fault
        # Only where the row ends is known can reading go on after it.
        if kind is not MalformedRow or self.options.on_bad_row is OnBadRow.FAIL:
            raise at_line(kind, line, message)
        return Issue(line, None, kind.code, message)


class _Lines:
    """The file's lines, as long as they can be lines of rows.

    `row_began_after` is how many lines were read before the row that is being read now.
    """

    def __init__(self, text: TextIO) -> None:
        self._readline = text.readline
        self.row_began_after = 0

    def __iter__(self) -> Iterator[str]:
        number = 0
        while line := self._readline(MAX_LINE_CHARACTERS):
            number += 1
            if len(line) == MAX_LINE_CHARACTERS:
                raise at_line(LineTooLong, number, f"longer than {MAX_LINE_CHARACTERS} characters")
            if number - self.row_began_after > MAX_FIELD_LINES:
                raise at_line(
                    MalformedRow,
                    self.row_began_after + 1,
                    f"a quote that opens here is not closed within {MAX_FIELD_LINES} lines",
                )
            yield line


def picker(names: Sequence[str], columns: Columns) -> Pick:
    """A function from a row's fields to its RawRow, made once a file."""
    text = names.index(columns.text)
    others = (
        columns.label,
        columns.teacher_label,
        columns.teacher_confidence,
        columns.teacher_probabilities,
        columns.teacher_votes,
    )
    places = [None if name is None else names.index(name) for name in others]
    if not any(place is not None for place in places):
        return lambda fields, line: RawRow(line, fields[text])

    def pick(fields: Sequence[str], line: int) -> RawRow:
        found = (None if place is None else fields[place] for place in places)
        return RawRow(line, fields[text], *found)

    return pick


def _ragged(fields: Sequence[str], names: Sequence[str]) -> tuple[type[BadDataset], str]:
    return MalformedRow, f"{len(fields)} fields where the header has {len(names)}"


def _explained(error: csv.Error) -> tuple[type[BadDataset], str]:
    """What the parser found, in words that do not need its source."""
    found = str(error)
    if "field larger than" in found:
        return FieldTooLarge, f"a field is longer than {MAX_FIELD_CHARACTERS} characters"
    if "unexpected end of data" in found:
        return MalformedRow, "a quote that opens here is never closed"
    if "expected after" in found:
        return MalformedRow, "a closing quote is followed by something else than the delimiter"
    return MalformedRow, f"the row cannot be parsed ({found})"
