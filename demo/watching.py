"""How a job is followed until it ends, and shown while it runs."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn

from demo.api_client import ApiClient, Json

POLL_EVERY_S = 0.5
# Without a terminal a line is printed for a new stage, or after this many more percent.
LINE_EVERY_PERCENT = 10.0
ENDED = frozenset({"succeeded", "failed", "cancelled"})

Show = Callable[[Json], None]


class JobFailed(Exception):
    """The job ended without a model; the message is its stored problem."""


def follow(
    client: ApiClient, job_id: str, *, title: str, console: Console, alive: Callable[[], None]
) -> Json:
    """Poll the job, show it, and return it once it has succeeded.

    Args:
        alive: called with each poll; raises when the service behind it is gone.

    Raises:
        JobFailed: it failed or was cancelled.
    """
    with _display(console, title=title) as show:
        while True:
            alive()
            job = client.job(job_id)
            show(job)
            if job["state"] in ENDED:
                break
            time.sleep(POLL_EVERY_S)
    if job["state"] != "succeeded":
        error = job["error"] or {}
        said = error.get("detail") or error.get("title") or "no reason given"
        raise JobFailed(f"Job {job_id} {job['state']} in stage {job['stage']}: {said}")
    return job


def describe(job: Json) -> str:
    """One line on where a job stands: answers bought or found, steps, share kept, time left."""
    progress = job["progress"]
    parts = [job["stage"] or job["state"]]
    teacher = progress["teacher"] or {}
    if teacher.get("answered"):
        parts.append(f"{teacher['answered']:,} answers ({teacher['cached'] or 0:,} stored)")
    if progress["step"]:
        parts.append(f"step {progress['step']:,}")
    if progress["selected_fraction"] is not None:
        parts.append(f"{progress['selected_fraction']:.0%} kept")
    if progress["eta_seconds"] is not None and job["state"] == "running":
        parts.append(f"{progress['eta_seconds']:.0f} s left")
    return " · ".join(parts)


@contextmanager
def _display(console: Console, *, title: str) -> Iterator[Show]:
    if not console.is_terminal:
        yield _Lines(console, title).show
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[title]}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=100, title=title)
        yield lambda job: bar.update(
            task, completed=job["progress"]["percent"], description=describe(job)
        )


class _Lines:
    """Prints when there is news worth a line."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._stage: str | None = None
        self._percent = -LINE_EVERY_PERCENT

    def show(self, job: Json) -> None:
        percent = job["progress"]["percent"]
        ended = job["state"] in ENDED
        if ended or job["stage"] != self._stage or percent >= self._percent + LINE_EVERY_PERCENT:
            self._stage, self._percent = job["stage"], percent
            self._console.print(
                f"{self._title} {percent:5.1f} %  {describe(job)}", highlight=False, soft_wrap=True
            )
