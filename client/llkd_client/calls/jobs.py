"""/jobs."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from llkd_client import following
from llkd_client.following import pages
from llkd_client.operations import Core, Items, Operation
from llkd_client.requests import Request, creating, path_of
from llkd_client.shapes.jobs import Audit, Comparison, Disagreement, Estimate, Event, Job, Label
from llkd_client.shapes.reports import Forecast, Report, SelectionMap, TrainingHistory


def create(core: Core, /, *, idempotency_key: str | None = None, **request: Any) -> Operation[Job]:
    """Queue a job of these fields: `dataset_id`, `labels`, `teacher`, as `POST /jobs` takes them.

    With `from_job`, another student is made from that job's answers.
    """
    return core.fetch(Job, creating("/jobs", request, key=idempotency_key))


def estimate(core: Core, /, **request: Any) -> Operation[Estimate]:
    """What a job of these fields would take; nothing is bought, except with `pilot`."""
    return core.fetch(Estimate, Request("POST", "/jobs/estimate", body=request))


def list_jobs(
    core: Core,
    /,
    *,
    state: str | None = None,
    dataset_id: str | None = None,
    from_job: str | None = None,
    metadata: Mapping[str, str] | None = None,
    limit: int | None = None,
) -> Items[Job]:
    """Jobs, newest first; only those in this state, of this dataset, from this job's answers."""
    wanted = {"state": state, "dataset_id": dataset_id, "from_job": from_job}
    query = {name: value for name, value in wanted.items() if value is not None}
    query |= {f"metadata[{name}]": value for name, value in (metadata or {}).items()}
    return pages(core, Job, "/jobs", query=query, limit=limit)


def get(core: Core, /, job_id: str) -> Operation[Job]:
    return core.fetch(Job, Request("GET", path_of("jobs", job_id)))


def wait(
    core: Core,
    /,
    job_id: str,
    *,
    timeout: float | None = None,
    poll_seconds: float | None = None,
    on_progress: Callable[[Job], None] | None = None,
) -> Operation[Job]:
    """The job, once it has ended, however it did: `require_success()` raises if it failed.

    Args:
        poll_seconds: how often to ask; what the service says by default.
        on_progress: is told the job after each look.

    Raises:
        WaitedTooLong: after `timeout` seconds; the job goes on.
        ConnectionFailed, Overloaded: nothing was heard of it for that long, or for as long as
            requests are repeated.
    """
    return following.wait(
        core,
        Job,
        path_of("jobs", job_id),
        timeout=timeout,
        poll_seconds=poll_seconds,
        on_progress=on_progress,
    )


def cancel(core: Core, /, job_id: str) -> Operation[Job]:
    """Ask it to stop: a queued one at once, a running one at its next heartbeat."""
    return core.fetch(Job, Request("POST", path_of("jobs", job_id, "cancel")))


def retry(core: Core, /, job_id: str, *, idempotency_key: str | None = None) -> Operation[Job]:
    """A new job of the same request, for one that failed or was cancelled."""
    return core.fetch(Job, creating(path_of("jobs", job_id, "retry"), key=idempotency_key))


def events(core: Core, /, job_id: str, *, after: str | None = None) -> Items[Event]:
    """Each event as it happens, to the job's last one; it outlives broken connections.

    Args:
        after: id of the last event that you have.
    """
    return following.events(core, path_of("jobs", job_id, "events"), after=after)


def labels(core: Core, /, job_id: str, *, limit: int | None = None) -> Items[Label]:
    """The pseudo-labels, text by text."""
    return pages(core, Label, path_of("jobs", job_id, "labels"), limit=limit)


def export_labels(
    core: Core,
    /,
    job_id: str,
    path: str | PathLike[str],
    *,
    format: str = "jsonl",  # noqa: A002 - as the contract calls it
    safe_csv: bool = True,
) -> Operation[Path]:
    """All pseudo-labels as a file: `jsonl`, `csv` or `parquet`."""
    query: dict[str, str | int | bool] = {"format": format, "safe_csv": safe_csv}
    request = Request("GET", path_of("jobs", job_id, "labels"), query=query)
    return following.download(core, request, Path(path))


def report(core: Core, /, job_id: str) -> Operation[Report]:
    """Raises Conflict before the job has been evaluated."""
    return core.fetch(Report, Request("GET", path_of("jobs", job_id, "report")))


def forecast(core: Core, /, job_id: str) -> Operation[Forecast]:
    """What a pilot expects of more answers; raises Conflict before it has one."""
    return core.fetch(Forecast, Request("GET", path_of("jobs", job_id, "forecast")))


def audit(core: Core, /, job_id: str, *, limit: int | None = None) -> Operation[Audit]:
    """The pseudo-labels that are likely wrong, `limit` of each kind."""
    query = {} if limit is None else {"limit": limit}
    return core.fetch(Audit, Request("GET", path_of("jobs", job_id, "audit"), query=query))


def disagreements(core: Core, /, job_id: str, *, limit: int | None = None) -> Items[Disagreement]:
    """Texts that teacher and student label differently, the surest first."""
    return pages(core, Disagreement, path_of("jobs", job_id, "disagreements"), limit=limit)


def compare(core: Core, /, job_ids: Sequence[str]) -> Operation[Comparison]:
    query = {"ids": ",".join(job_ids)}
    return core.fetch(Comparison, Request("GET", "/jobs/compare", query=query))


def training(
    core: Core, /, job_id: str, *, points: int = 500, candidate: int | None = None
) -> Operation[TrainingHistory]:
    """How the student's training went so far, at no more than so many points."""
    query = {"points": points} | ({} if candidate is None else {"candidate": candidate})
    path = path_of("jobs", job_id, "training")
    return core.fetch(TrainingHistory, Request("GET", path, query=query))


def selection(
    core: Core, /, job_id: str, *, frame: int | None = None, candidate: int | None = None
) -> Operation[SelectionMap]:
    """What was selected at one look: its number, or the latest."""
    query: dict[str, str | int | bool] = {"frame": "latest" if frame is None else frame}
    if candidate is not None:
        query["candidate"] = candidate
    path = path_of("jobs", job_id, "selection")
    return core.fetch(SelectionMap, Request("GET", path, query=query))
