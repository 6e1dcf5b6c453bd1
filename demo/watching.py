"""How a job is followed until it ends, and shown while it runs."""

from collections.abc import Callable

from rich.console import Console

from llkd_client import Client, Job, Lines, Progress, RetryPolicy, TerminalBar

POLL_EVERY_S = 0.5
# The service is ours, and on this machine: if it is gone, it does not come back.
IMPATIENT = RetryPolicy(attempts=3)


def connect(url: str) -> Client:
    """A client of a service that we run."""
    return Client(url, retry=IMPATIENT)


def follow(
    client: Client, job_id: str, *, title: str, console: Console, alive: Callable[[], None]
) -> Job:
    """Poll the job, show it, and return it once it has succeeded.

    Args:
        alive: called with each poll; raises when the service behind it is gone.

    Raises:
        JobFailed: it failed or was cancelled.
    """
    kind = TerminalBar if console.is_terminal else Lines
    progress: Progress = kind(console.file, title=title)

    def see(job: Job) -> None:
        alive()
        progress.at(job)

    job = client.jobs.wait(job_id, poll_seconds=POLL_EVERY_S, on_progress=see)
    progress.end()
    return job.require_success()
