"""How a job is asked for on a command line: files of labels, short names, JSON."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

Json = dict[str, Any]
NULL = re.compile(r"(?:null|Null|NULL|~)$")
NULL_TAG = "tag:yaml.org,2002:null"

LabelsFile = Annotated[
    Path,
    typer.Option(
        "--labels",
        "-l",
        exists=True,
        dir_okay=False,
        readable=True,
        help="YAML or JSON: a list of names or of {name, description, examples}, or descriptions "
        "by name.",
    ),
]
Teacher = Annotated[
    str,
    typer.Option(
        "--teacher",
        "-t",
        help="A kind (few_shot, zero_shot, provided …), the id of a stored teacher, or JSON.",
    ),
]
Name = Annotated[str | None, typer.Option("--name", "-n", help="Of the model that is made.")]
Selection = Annotated[str | None, typer.Option("--selection", help="llkd, all, random …, or JSON.")]
Student = Annotated[
    str | None, typer.Option("--student", help="encoder, static, or JSON with more.")
]
Budget = Annotated[
    float | None, typer.Option("--budget-usd", min=0, help="What the teacher may cost, in dollars.")
]
Instruction = Annotated[
    str | None, typer.Option("--instruction", help="What the labels are about, for the teacher.")
]
TextColumn = Annotated[
    str | None, typer.Option("--text-column", help="The column that holds the texts: text.")
]
LabelColumn = Annotated[
    str | None, typer.Option("--label-column", help="A column of labels that people gave.")
]
TeacherLabelColumn = Annotated[
    str | None,
    typer.Option("--teacher-label-column", help="A column of labels that a teacher gave."),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Any other field of POST /jobs, such as training.epochs=3; the value is JSON or text.",
    ),
]


def read_labels(file: Path) -> list[Json]:
    """The labels of a file.

    Raises:
        BadParameter: they cannot be read.
    """
    import yaml

    from llkd_client.specs import as_labels

    class Texts(yaml.BaseLoader):  # type: ignore[misc]
        """Every scalar is text, as a label may be called `no` or `1`; but null is nothing."""

    Texts.add_implicit_resolver(NULL_TAG, NULL, ["n", "N", "~"])
    Texts.add_constructor(NULL_TAG, lambda *_: None)
    try:
        told = yaml.load(file.read_text(encoding="utf-8"), Loader=Texts)  # noqa: S506
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{file} is neither YAML nor JSON: {error}") from None
    if isinstance(told, Mapping):
        inner = told.get("labels")
        if isinstance(inner, list) or told.keys() == {"labels"}:
            told = inner
    if not isinstance(told, list | Mapping) or not told:
        raise typer.BadParameter(f"{file} holds no list of labels and no labels by name.")
    try:
        return [_without_blanks(label) for label in as_labels(told)]
    except TypeError as error:
        raise typer.BadParameter(f"{file}: {error}") from None


def read_kind(told: str) -> str | Json:
    """A short name, or the JSON that it stands for.

    Raises:
        BadParameter: it begins as JSON and is none.
    """
    if not told.lstrip().startswith("{"):
        return told
    try:
        found: Json = json.loads(told)
    except ValueError as error:
        raise typer.BadParameter(f"{told!r} is no JSON: {error}") from None
    return found


def job_request(
    *,
    labels: Path,
    teacher: str,
    name: str | None,
    instruction: str | None,
    selection: str | None,
    student: str | None,
    budget_usd: float | None,
    more: list[str] | None,
) -> Json:
    """The body of POST /jobs, without its dataset."""
    from llkd_client.specs import as_kind, as_teacher

    request: Json = {"labels": read_labels(labels), "teacher": as_teacher(read_kind(teacher))}
    if name is not None:
        request["name"] = name
    if instruction is not None:
        request["instruction"] = instruction
    if selection is not None:
        request["selection"] = as_kind(read_kind(selection))
    if student is not None:
        request["student"] = as_kind(read_kind(student))
    if budget_usd is not None:
        request["budget"] = {"max_usd": budget_usd}
    for assignment in more or ():
        _assign(request, assignment)
    return request


def _assign(request: Json, assignment: str) -> None:
    place, equals, told = assignment.partition("=")
    *parents, field = place.split(".")
    if not equals or not field or not all(parents):
        raise typer.BadParameter(f"--set takes FIELD=VALUE, not {assignment!r}.")
    inner = request
    for parent in parents:
        inner = inner.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise typer.BadParameter(f"--set {place}: {parent} has no fields.")
    try:
        inner[field] = json.loads(told)
    except ValueError:
        inner[field] = told


def _without_blanks(label: Json) -> Json:
    """`billing:` with nothing behind it is a name alone."""
    return {field: value for field, value in label.items() if value not in ("", None)}
