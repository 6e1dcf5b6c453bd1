"""Jobs for the dashboard's tests to look at, on texts that would do harm if they were HTML."""

from typing import Any

from core.lifecycle import Stage
from tests.acceptance.deployment import Deployment
from tests.worker.corpus import make_rows

Json = dict[str, Any]
HARM = "<img src=x onerror=alert(1)><script>alert(2)</script> &amp; </title></style>"


def harmful_rows(count: int = 240) -> list[Json]:
    """Different texts, each with HTML in it, and gold on the first ones."""
    return [row | {"text": f"{row['text']} {HARM}"} for row in make_rows(count)]


def finish_job(service: Deployment, **changes: Any) -> str:
    """A job that has succeeded, with gold, a report and an audit."""
    job_id = service.submit(service.upload(harmful_rows()), **changes)
    service.wait_for_end(job_id)
    return job_id


def start_long_job(service: Deployment) -> str:
    """A job that trains for as long as a test may look at it."""
    training = {"epochs": 400, "batch_size": 16, "early_stopping": False, "device": "cpu"}
    job_id = service.submit(service.upload(harmful_rows()), training=training)
    service.wait_for_place(job_id, Stage.TRAIN, attempt=1)
    return job_id


def fail_job(service: Deployment) -> str:
    """A job that ends with `too-few-labels`."""
    job_id = service.submit(service.upload(make_rows(12, gold=0, first=5000)))
    service.wait_for_end(job_id, state="failed")
    return job_id
