"""Rows of several seeds, as one table of means and spreads."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from rich.table import Table

from demo.results import ResultRow

NOTHING = "-"
HEADINGS = ("accuracy", "macro-F1", "unique", "gradient samples", "steps", "epochs", "time")


@dataclass(frozen=True)
class SeededRow:
    seed: int
    row: ResultRow


def as_summary_table(rows: Sequence[SeededRow], *, title: str) -> Table:
    """One line a name, in order of first appearance; figures are means, spreads over seeds."""
    seeds = sorted({each.seed for each in rows})
    table = Table(title=f"{title}; seeds {seeds}", title_justify="left", title_style="bold")
    table.add_column("")
    for heading in HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    for name in dict.fromkeys(each.row.name for each in rows):
        same = [each.row for each in rows if each.row.name == name]
        table.add_row(
            name,
            _percent([row.accuracy.value for row in same]),
            _percent([row.macro_f1.value for row in same]),
            _share(same),
            _mean([row.gradient for row in same]),
            _mean([row.steps for row in same]),
            _passes([row.epochs for row in same]),
            f"{mean(row.seconds for row in same):.0f} s",
        )
    return table


def _percent(values: Sequence[float]) -> str:
    """Mean, and the sample standard deviation where there are several seeds."""
    spread = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{spread}"


def _mean(counts: Sequence[int | None]) -> str:
    known = [count for count in counts if count is not None]
    return f"{mean(known):,.0f}" if known else NOTHING


def _passes(epochs: Sequence[float | None]) -> str:
    known = [each for each in epochs if each is not None]
    return f"{mean(known):.1f}" if known else NOTHING


def _share(rows: Sequence[ResultRow]) -> str:
    shares = [row.unique / row.pool for row in rows if row.unique is not None and row.pool]
    return f"{mean(shares):.0%}" if shares else NOTHING
