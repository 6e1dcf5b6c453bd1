"""Plain text: every line is one text."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from app.datasets.errors import LineTooLong, at_line
from app.datasets.options import MAX_LINE_CHARACTERS, ReadOptions
from app.datasets.reading.base import require_columns
from app.datasets.reading.opening import open_text
from app.datasets.rows import Issue, RawRow

COLUMN = "text"


class TxtReader:
    """Reads .txt; its one column is named `text`."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self.path = path
        self.options = options

    @property
    def column_names(self) -> Sequence[str]:
        return [COLUMN]

    def rows(self) -> Iterator[RawRow | Issue]:
        require_columns(
            [COLUMN], self.options.columns, hint=" A .txt file has this one column, and no header."
        )
        with open_text(self.path, self.options, newline="\n") as text:
            for number, line in numbered_lines(text):
                yield RawRow(number, line)


def numbered_lines(text: TextIO) -> Iterator[tuple[int, str]]:
    r"""Each line and its number from 1, without its end (\n or \r\n).

    Raises:
        LineTooLong: at the first line beyond MAX_LINE_CHARACTERS.
    """
    number = 0
    readline = text.readline
    # Room for the line's end; reading stops there, so a line without one fills no memory.
    room = MAX_LINE_CHARACTERS + 2
    while line := readline(room):
        number += 1
        line = line.removesuffix("\n").removesuffix("\r")
        if len(line) > MAX_LINE_CHARACTERS:
            raise at_line(LineTooLong, number, f"longer than {MAX_LINE_CHARACTERS} characters")
        yield number, line
