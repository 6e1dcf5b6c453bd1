"""What every reader does: yields rows as they stand in the file, and those it could not read."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from app.datasets.errors import DuplicateColumn, MissingColumn, TooManyColumns
from app.datasets.options import MAX_COLUMNS, Columns, ReadOptions
from app.datasets.rows import Issue, RawRow


class RowReader(Protocol):
    """One file, read once from its beginning to its end."""

    @property
    def path(self) -> Path: ...

    @property
    def options(self) -> ReadOptions: ...

    @property
    def column_names(self) -> Sequence[str]:
        """Every column of the file; complete once all rows were read."""
        ...

    def rows(self) -> Iterator[RawRow | Issue]:
        """The rows in order; an Issue stands for a row that was set aside unread.

        Raises:
            BadDataset: the file, or a row of it, cannot be read.
        """
        ...


def check_header(names: Sequence[str], columns: Columns) -> None:
    """Refuse a header that names too many columns, one twice, or not those asked for."""
    if len(names) > MAX_COLUMNS:
        raise TooManyColumns(f"The file has {len(names)} columns; at most {MAX_COLUMNS} are read.")
    seen: set[str] = set()
    for name in names:
        # Spreadsheets write nameless columns; nobody can ask for them, so they may repeat.
        if name and name in seen:
            raise DuplicateColumn(f"The column {name[:80]!r} appears twice.")
        seen.add(name)
    require_columns(names, columns)


def require_columns(names: Sequence[str], columns: Columns, *, hint: str = "") -> None:
    """Raise MissingColumn for the first column that was asked for and is not there."""
    for wanted in columns.wanted():
        if wanted not in names:
            raise MissingColumn(wanted, names, hint=hint)
