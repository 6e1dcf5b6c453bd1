"""How answers are printed: for people on a terminal, as JSON into a pipe."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

    from llkd_client.progress import Progress

Json = dict[str, Any]
NOTHING = "-"
# C0 but for line ends and tabs, DEL, and C1.
CONTROLS = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)), "�")

AsJson = Annotated[
    bool | None,
    typer.Option(
        "--json/--table",
        help="JSON, or a table for people. By default a table on a terminal, JSON elsewhere.",
        show_default=False,
    ),
]


def wants_json(asked: bool | None) -> bool:
    return not sys.stdout.isatty() if asked is None else asked


def say(line: object) -> None:
    """To whoever watches; never into a pipe."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def say_over(line: object) -> None:
    """As `say`, in the place of a bar that may be there; it is drawn again below."""
    say(f"\r\x1b[2K{line}" if sys.stderr.isatty() else line)


def print_json(told: "BaseModel | Mapping[str, Any]") -> None:
    """One document on one line, with the fields that came and no others."""
    document = told if isinstance(told, Mapping) else as_document(told)
    # JSON can say everything in ASCII, where the output can hold no more.
    is_unicode = "utf" in (sys.stdout.encoding or "").lower()
    sys.stdout.write(f"{json.dumps(document, ensure_ascii=not is_unicode)}\n")
    sys.stdout.flush()


def as_document(shape: "BaseModel") -> Json:
    return shape.model_dump(mode="json", exclude_unset=True)


def print_each(shapes: "Iterable[BaseModel]") -> None:
    """JSON lines, each as soon as it is known."""
    for shape in shapes:
        print_json(shape)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """A table as wide as the terminal; `empty` is said where there are no rows."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(NOTHING if cell is None else _shown(cell) for cell in row))
    if table.row_count:
        _console().print(table)
    else:
        say(empty)


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Names and what is known under them; a name without is left out."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in facts:
        if fact is not None:
            table.add_row(name, _shown(fact))
    _console().print(table)


def find_progress(title: str = "") -> "Progress":
    """A bar on a terminal, lines in a log."""
    from llkd_client.progress import Lines, TerminalBar

    return (TerminalBar if sys.stderr.isatty() else Lines)(sys.stderr, title=title)


@contextmanager
def ended(progress: "Progress") -> Iterator[None]:
    """Leave the bar's line behind, whatever happens: an error gets a line of its own."""
    try:
        yield
    finally:
        progress.end()


def _console() -> Any:
    from rich.console import Console

    # Into a file there is no width that a table should keep to.
    width = None if sys.stdout.isatty() else 160
    # What is shown is somebody's text: neither markup nor the name of an emoji.
    return Console(highlight=False, markup=False, emoji=False, width=width)


def _shown(cell: object) -> str:
    """Without the control characters by which a text could take over the terminal."""
    return str(cell).translate(CONTROLS)
