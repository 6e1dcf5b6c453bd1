"""`llkd distill` and what is done with jobs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llkd_client.cli import output
from llkd_client.cli.asking import (
    Budget,
    Instruction,
    LabelColumn,
    LabelsFile,
    Name,
    Selection,
    Set,
    Student,
    Teacher,
    TeacherLabelColumn,
    TextColumn,
    job_request,
)
from llkd_client.cli.connection import connected, patiently_connected
from llkd_client.cli.output import AsJson
from llkd_client.cli.watching import see_through
from llkd_client.requests import given
from llkd_client.specs import is_dataset

if TYPE_CHECKING:
    from llkd_client import Client, Job
    from llkd_client.shapes.jobs import Range

Source = Annotated[
    str, typer.Argument(metavar="FILE", help="A file of texts, or the id of a dataset.")
]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="Its id.")]


def distill(
    context: typer.Context,
    source: Source,
    labels: LabelsFile,
    teacher: Teacher = "few_shot",
    name: Name = None,
    instruction: Instruction = None,
    selection: Selection = None,
    student: Student = None,
    budget_usd: Budget = None,
    gold: Annotated[
        str | None,
        typer.Option(help="Texts with labels that people gave, to measure on: a file, a dataset."),
    ] = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    teacher_label_column: TeacherLabelColumn = None,
    more: Set = None,
    watch: Annotated[
        bool, typer.Option(help="Stay until it has ended, or only say what was queued.")
    ] = True,
    as_json: AsJson = None,
) -> None:
    """From texts to a model: upload, label, train, measure."""
    request = job_request(
        labels=labels,
        teacher=teacher,
        name=name,
        instruction=instruction,
        selection=selection,
        student=student,
        budget_usd=budget_usd,
        more=more,
    )
    columns = given(text_column=text_column, label_column=label_column)
    of_teacher = given(teacher_label_column=teacher_label_column)
    with patiently_connected(context) as client:
        request["dataset_id"] = _dataset(client, source, {**columns, **of_teacher})
        if gold is not None:
            of_gold = {**columns, "label_column": label_column or "label"}
            request["evaluation"] = {"dataset_id": _dataset(client, gold, of_gold)}
        job = client.jobs.create(**request)
        wants_json = output.wants_json(as_json)
        if watch:
            output.say(f"{job.id} queued")
            see_through(client, job.id, as_json=wants_json)
        elif wants_json:
            output.print_json(job)
        else:
            output.print_facts([("job", job.id), ("state", job.state)])


def estimate(
    context: typer.Context,
    source: Source,
    labels: LabelsFile,
    teacher: Teacher = "few_shot",
    instruction: Instruction = None,
    selection: Selection = None,
    student: Student = None,
    budget_usd: Budget = None,
    text_column: TextColumn = None,
    teacher_label_column: TeacherLabelColumn = None,
    more: Set = None,
    as_json: AsJson = None,
) -> None:
    """What a job would take, before anything is bought; a file is uploaded for it."""
    request = job_request(
        labels=labels,
        teacher=teacher,
        name=None,
        instruction=instruction,
        selection=selection,
        student=student,
        budget_usd=budget_usd,
        more=more,
    )
    columns = given(text_column=text_column, teacher_label_column=teacher_label_column)
    with connected(context) as client:
        request["dataset_id"] = _dataset(client, source, columns)
        told = client.jobs.estimate(**request)
    if output.wants_json(as_json):
        output.print_json({"dataset_id": request["dataset_id"], **output.as_document(told)})
        return
    cost, seconds = told.cost_usd, told.seconds
    output.print_facts(
        [
            ("dataset", request["dataset_id"]),
            ("texts", f"{told.rows:,}"),
            ("teacher calls", _range(told.teacher_calls)),
            ("tokens", None if told.tokens is None else _range(told.tokens)),
            ("money", "not known" if cost is None else f"${cost.low:.2f} to ${cost.high:.2f}"),
            (
                "time",
                None if seconds is None else f"{seconds.low:,} to {seconds.high:,} s",
            ),
        ]
    )


def list_jobs(
    context: typer.Context,
    state: Annotated[
        str | None, typer.Option(help="queued, running, succeeded, failed or cancelled.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: AsJson = None,
) -> None:
    """Jobs, newest first."""
    with connected(context) as client:
        found = client.jobs.list(state=state, limit=limit)
        if output.wants_json(as_json):
            output.print_each(found)
            return
        output.print_table(
            ("id", "name", "state", "stage", "done", "model", "created"),
            (
                (
                    job.id,
                    job.name,
                    job.state,
                    job.stage,
                    f"{job.progress.percent:.0f} %",
                    job.model_id,
                    None if job.created_at is None else f"{job.created_at:%Y-%m-%d %H:%M}",
                )
                for job in found
            ),
            empty="There are no jobs; `llkd distill FILE --labels labels.yaml` starts one.",
        )


def watch(
    context: typer.Context,
    job_id: JobId,
    events: Annotated[
        bool, typer.Option("--events", help="Print each event as JSON, as it happens.")
    ] = False,
    as_json: AsJson = None,
) -> None:
    """Stay with a job until it has ended."""
    with patiently_connected(context) as client:
        if events:
            output.print_each(client.jobs.events(job_id))
        see_through(client, job_id, as_json=output.wants_json(as_json))


def cancel(context: typer.Context, job_id: JobId, as_json: AsJson = None) -> None:
    """Ask a job to stop."""
    with connected(context) as client:
        _tell(client.jobs.cancel(job_id), as_json)


def retry(context: typer.Context, job_id: JobId, as_json: AsJson = None) -> None:
    """Queue a job again that failed or was cancelled."""
    with connected(context) as client:
        _tell(client.jobs.retry(job_id), as_json)


def audit(
    context: typer.Context,
    job_id: JobId,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Of each kind.")] = 10,
    as_json: AsJson = None,
) -> None:
    """The pseudo-labels that are likely wrong."""
    with connected(context) as client:
        told = client.jobs.audit(job_id, limit=limit)
    if output.wants_json(as_json):
        output.print_json(told)
        return
    output.print_facts(
        (name.replace("_", " "), f"{count:,}") for name, count in told.totals.items()
    )
    output.print_table(
        ("row", "label", "rather", "text"),
        (
            (each["index"], each["label"], each["suggested"], each["text"])
            for each in told.likely_wrong
        ),
        empty="No label is likely wrong.",
    )


def _tell(job: "Job", as_json: bool | None) -> None:
    if output.wants_json(as_json):
        output.print_json(job)
    else:
        output.print_facts([("job", job.id), ("state", job.state)])


def _dataset(client: "Client", source: str, columns: dict[str, str]) -> str:
    """Its id; of a file, once it is uploaded.

    Raises:
        BadParameter: there is no such file.
    """
    if is_dataset(source):
        return source
    file = Path(source)
    if not file.is_file():
        raise typer.BadParameter(f"There is no file {source}.", param_hint="FILE")
    progress = output.find_progress()
    with output.ended(progress):
        made = client.datasets.add(file, on_bytes=progress.uploading, **columns)
    output.say(f"{made.id}: {made.statistics.unique:,} different texts")
    return made.id


def _range(told: "Range") -> str:
    if told.low == told.high:
        return f"{told.low:,}"
    return f"{told.expected:,} ({told.low:,} to {told.high:,})"
