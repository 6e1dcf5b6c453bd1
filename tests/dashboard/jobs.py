"""Jobs for the dashboard's tests to look at, on texts that would do harm if they were HTML."""

from typing import Any

from tests.acceptance.deployment import Deployment, wait_until
from tests.worker.corpus import LABELS, make_rows

Json = dict[str, Any]
HARM = "<img src=x onerror=alert(1)><script>alert(2)</script> &amp; </title></style>"
# Answers that are there: no model of a teacher has to be loaded.
TEACHER = {"kind": "provided"}
TRAINING = {"epochs": 2, "batch_size": 16, "learning_rate": 1e-3, "device": "cpu"}


# More than a page of the dashboard shows, and enough for a dataset.
TEXTS = [f"text number {number}" for number in range(45)]


def upload(service: Deployment, rows: list[Json]) -> str:
    """A dataset with gold on some texts, and a teacher's answers to all."""
    columns = {"text": "text", "label": "gold"} | {
        name: name for name in ("teacher_label", "teacher_confidence")
    }
    told = [{column: row[name] for column, name in columns.items()} for row in rows]
    answer = service.http.post("/datasets", json={"name": "tickets", "rows": told})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def finish_job(service: Deployment) -> str:
    """A job that has succeeded, with gold, a report and an audit."""
    rows = [row | {"text": f"{row['text']} {HARM}"} for row in make_rows()]
    job_id = service.submit(upload(service, rows), teacher=TEACHER, training=TRAINING)
    service.wait_for_end(job_id)
    return job_id


def start_long_job(service: Deployment) -> str:
    """A job that has begun to train, and does so for as long as a test may look at it."""
    training = TRAINING | {"epochs": 1000, "early_stopping": False}
    job_id = service.submit(upload(service, make_rows()), teacher=TEACHER, training=training)
    wait_until(
        lambda: service.http.get(f"/jobs/{job_id}/selection").status_code == 200,
        what="the training has begun",
    )
    return job_id


def fail_job(service: Deployment) -> str:
    """A job whose teacher gave all texts the same label."""
    rows = [row | {"teacher_label": LABELS[0]} for row in make_rows(40, gold=0)]
    job_id = service.submit(upload(service, rows), teacher=TEACHER)
    service.wait_for_end(job_id, state="failed")
    return job_id
