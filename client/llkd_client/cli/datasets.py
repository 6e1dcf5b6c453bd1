"""`llkd datasets`: texts that the service has."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llkd_client.cli import output
from llkd_client.cli.asking import LabelColumn, TeacherLabelColumn, TextColumn
from llkd_client.cli.connection import connected
from llkd_client.cli.output import AsJson

if TYPE_CHECKING:
    from llkd_client import Dataset

app = typer.Typer(no_args_is_help=True, help="Add, list and show datasets.")
SHOWN = 5


@app.command()
def add(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    name: Annotated[str | None, typer.Option("--name", "-n", help="The file's by default.")] = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    teacher_label_column: TeacherLabelColumn = None,
    teacher_confidence_column: Annotated[
        str | None,
        typer.Option(help="A column that says how sure that teacher was of its label, 0 to 1."),
    ] = None,
    teacher_probabilities_column: Annotated[
        str | None, typer.Option(help="A column of a teacher's probabilities by label, as JSON.")
    ] = None,
    teacher_votes_column: Annotated[
        str | None, typer.Option(help="A column of the labels that several answers gave, as JSON.")
    ] = None,
    skip_bad_rows: Annotated[
        bool, typer.Option(help="Set rows aside that cannot be parsed, instead of refusing.")
    ] = False,
    as_json: AsJson = None,
) -> None:
    """Upload a file: .csv, .tsv, .jsonl or .txt, each also as .gz, or .parquet."""
    progress = output.find_progress()
    options = {
        "teacher_label_column": teacher_label_column,
        "teacher_confidence_column": teacher_confidence_column,
        "teacher_probabilities_column": teacher_probabilities_column,
        "teacher_votes_column": teacher_votes_column,
        "on_bad_row": "skip" if skip_bad_rows else None,
    }
    with connected(context) as client, output.ended(progress):
        made = client.datasets.add(
            file,
            name=name,
            text_column=text_column,
            label_column=label_column,
            on_bytes=progress.uploading,
            **{field: value for field, value in options.items() if value is not None},
        )
    if output.wants_json(as_json):
        output.print_json(made)
    else:
        output.print_facts(_facts(made))


@app.command("list")
def list_datasets(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: AsJson = None,
) -> None:
    """Datasets, newest first."""
    with connected(context) as client:
        found = client.datasets.list(limit=limit)
        if output.wants_json(as_json):
            output.print_each(found)
            return
        output.print_table(
            ("id", "name", "texts", "gold", "created"),
            (
                (
                    each.id,
                    each.name,
                    f"{each.statistics.unique:,}",
                    sum((each.statistics.gold or {}).values()) or None,
                    f"{each.created_at:%Y-%m-%d %H:%M}",
                )
                for each in found
            ),
            empty="There are no datasets; `llkd datasets add FILE` adds one.",
        )


@app.command()
def show(context: typer.Context, dataset_id: str, as_json: AsJson = None) -> None:
    """A dataset, its first texts, and the first rows that were set aside."""
    with connected(context) as client:
        found = client.datasets.get(dataset_id)
        if output.wants_json(as_json):
            output.print_json(found)
            return
        output.print_facts(_facts(found))
        rows = client.datasets.rows(found.id, limit=SHOWN)
        output.print_table(
            ("line", "text", "gold"),
            ((row.line, row.text, row.gold) for row in rows),
            empty="It has no texts.",
        )
        if found.statistics.set_aside:
            issues = client.datasets.issues(found.id, limit=SHOWN)
            output.print_table(
                ("line", "column", "set aside because"),
                ((issue.line, issue.column, issue.message) for issue in issues),
                empty="",
            )


def _facts(dataset: "Dataset") -> list[tuple[str, object]]:
    told = dataset.statistics
    reasons = ", ".join(f"{count:,} {code}" for code, count in told.set_aside_by_code.items())
    gold = None if told.gold is None else f"{sum(told.gold.values()):,} in {len(told.gold)} labels"
    return [
        ("dataset", dataset.id),
        ("name", dataset.name),
        ("texts", f"{told.unique:,} different ones of {told.rows:,} rows"),
        ("gold", gold),
        ("set aside", f"{told.set_aside:,} ({reasons})" if told.set_aside else None),
    ]
