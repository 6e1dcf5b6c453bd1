"""A job on a terminal: how far it is, and what it came to."""

from typing import TYPE_CHECKING

import typer

from llkd_client.cli import output
from llkd_client.cli.exit_codes import FAILED, INTERRUPTED
from llkd_client.errors import ConnectionFailed, NotFound, Overloaded

if TYPE_CHECKING:
    from llkd_client import Client, Job, Model, Report
    from llkd_client.shapes.reports import Evaluation

POLL_SECONDS = 1.0


def see_through(client: "Client", job_id: str, *, as_json: bool) -> None:
    """Show a job until it has ended, then what it came to.

    Raises:
        Exit: it did not succeed, or we were interrupted.
    """
    progress = output.find_progress()
    how = f"{job_id} goes on. Come back with: llkd watch {job_id}"
    try:
        with output.ended(progress):
            job = client.jobs.wait(job_id, poll_seconds=POLL_SECONDS, on_progress=progress.at)
    except KeyboardInterrupt:
        output.say(how)
        raise typer.Exit(INTERRUPTED) from None
    except (ConnectionFailed, Overloaded):
        output.say(how)
        raise
    _tell(client, job, as_json=as_json)
    if not job.succeeded:
        output.say(_why(job))
        raise typer.Exit(FAILED)


def _tell(client: "Client", job: "Job", *, as_json: bool) -> None:
    has_report = job.succeeded and job.model_id is not None
    report = client.jobs.report(job.id) if has_report else None
    if as_json:
        told = {"job": output.as_document(job)}
        if report is not None:
            told["report"] = output.as_document(report)
        output.print_json(told)
    elif report is not None:
        output.print_facts(_facts(client, job, report))


def _facts(client: "Client", job: "Job", report: "Report") -> list[tuple[str, object]]:
    model = _model(client, job)
    named = None if model is None else f"{model.id} ({model.name}, version {model.version})"
    teacher, training, answers = report.teacher, report.training, report.teacher.answers
    agreement = None if report.agreement is None else f"{report.agreement:.1%}"
    seconds = None
    if job.started_at is not None and job.finished_at is not None:
        seconds = (job.finished_at - job.started_at).total_seconds()
    return [
        ("model", named),
        ("teacher", _scores(teacher.evaluation) or teacher.kind),
        ("student", _scores(report.student.evaluation)),
        ("student says what the teacher says", agreement),
        (
            "samples",
            f"{training.unique_samples:,} of {training.pool:,} texts, "
            f"{training.gradient_samples:,} gradient samples in {training.steps:,} steps",
        ),
        ("answers", f"{answers.answered or 0:,}, of which {answers.cached or 0:,} were stored"),
        ("money", f"${job.usage.cost_usd:.2f}"),
        ("time", None if seconds is None else f"{seconds:,.0f} s"),
        ("try it", None if model is None else f"llkd predict {model.name} 'some text'"),
    ]


def _model(client: "Client", job: "Job") -> "Model | None":
    """None if it was deleted: what it came to stays."""
    assert job.model_id is not None
    try:
        return client.models.get(job.model_id)
    except NotFound:
        return None


def _scores(evaluation: "Evaluation | None") -> str | None:
    if evaluation is None:
        return None
    f1 = evaluation.macro_f1
    return (
        f"macro-F1 {f1.value:.1%} ({f1.low:.1%} to {f1.high:.1%}), "
        f"accuracy {evaluation.accuracy.value:.1%}, on {evaluation.rows:,} gold labels"
    )


def _why(job: "Job") -> str:
    from llkd_client import JobFailed

    return str(JobFailed(job))
