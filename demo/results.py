"""What a finished job's report says, as rows of a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table

from llkd_client import Job, Report
from llkd_client.shapes.reports import Measured as Figure

NOTHING = "-"
HEADINGS = ("accuracy", "macro-F1 (95 %)", "unique texts", "gradient", "epochs", "time")


@dataclass(frozen=True)
class Measured:
    """A figure in [0, 1] with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ResultRow:
    """One line: who answered, how well, from how many samples, in how long.

    The counts are None for a teacher. `unique` counts different texts that were learned
    from, `gradient` how often a text was, `pool` the texts there were, `epochs` the passes
    over them until training stopped.
    """

    name: str
    accuracy: Measured
    macro_f1: Measured
    seconds: float
    pool: int | None = None
    unique: int | None = None
    gradient: int | None = None
    steps: int | None = None
    epochs: float | None = None


def teacher_row(job: Job, report: Report, *, name: str) -> ResultRow:
    """The teacher against gold; `seconds` is the label stage of this job."""
    evaluation = report.teacher.evaluation
    assert evaluation is not None, "the job has gold"
    return ResultRow(
        name,
        _measured(evaluation.accuracy),
        _measured(evaluation.macro_f1),
        stage_seconds(job).get("label", 0.0),
    )


def student_row(report: Report, *, name: str) -> ResultRow:
    """The student against gold; `seconds` is the time it trained."""
    evaluation, training = report.student.evaluation, report.training
    assert evaluation is not None, "the job has gold"
    return ResultRow(
        name,
        _measured(evaluation.accuracy),
        _measured(evaluation.macro_f1),
        training.seconds,
        pool=training.pool,
        unique=training.unique_samples,
        gradient=training.gradient_samples,
        steps=training.steps,
        epochs=training.epochs,
    )


def stage_seconds(job: Job) -> dict[str, float]:
    """Wall seconds of each finished stage, by its name."""
    return {stage.name: stage.seconds for stage in job.stages if stage.seconds is not None}


def as_table(rows: Sequence[ResultRow], *, title: str) -> Table:
    """Readable from 80 columns on: below its full width, only shares of samples wrap."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 0, 0, 1),
    )
    table.add_column("", no_wrap=True)
    for heading in HEADINGS:
        table.add_column(heading, justify="right", no_wrap=not heading.startswith("unique"))
    for row in rows:
        table.add_row(
            row.name,
            f"{100 * row.accuracy.value:.1f}",
            f"{100 * row.macro_f1.value:.1f} "
            f"({100 * row.macro_f1.low:.1f}-{100 * row.macro_f1.high:.1f})",
            _share(row.unique, row.pool),
            _count(row.gradient),
            NOTHING if row.epochs is None else f"{row.epochs:.1f}",
            f"{row.seconds:.0f} s",
        )
    return table


def verdict(teacher: ResultRow, llkd: ResultRow, everything: ResultRow) -> str:
    """What the numbers say and do not say, in one sentence.

    Two students are called level when either's macro-F1 lies in the other's interval:
    one run of each cannot tell them apart.
    """
    gain = 100 * (llkd.macro_f1.value - everything.macro_f1.value)
    level = _within(llkd.macro_f1, everything.macro_f1) or _within(
        everything.macro_f1, llkd.macro_f1
    )
    if level:
        versus = f"level with training without a selection ({gain:+.1f} points, within the noise)"
    else:
        versus = (
            f"{abs(gain):.1f} points {'above' if gain > 0 else 'below'} "
            "training without a selection"
        )
    work = 100 * (llkd.gradient or 0) / max(1, everything.gradient or 0)
    over = 100 * (llkd.macro_f1.value - teacher.macro_f1.value)
    return (
        f"In this one run the LLKD student's macro-F1 is {versus}, with {work:.0f} % of its "
        f"gradient samples, and {abs(over):.1f} points {'above' if over > 0 else 'below'} "
        "the teacher's."
    )


def _within(inner: Measured, outer: Measured) -> bool:
    return outer.low <= inner.value <= outer.high


def _measured(figure: Figure) -> Measured:
    return Measured(figure.value, figure.low, figure.high)


def _count(number: int | None) -> str:
    return NOTHING if number is None else f"{number:,}"


def _share(number: int | None, whole: int | None) -> str:
    if number is None or not whole:
        return NOTHING
    return f"{number:,} ({number / whole:.0%})"
