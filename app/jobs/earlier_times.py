"""How long a job will take, by those like it that have finished here."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.jobs.estimate_schemas import Seconds
from app.jobs.schemas import JobCreate
from core.db.repositories.jobs import JobRepository
from core.db.tables import JobRow
from core.ids import TenantId
from core.lifecycle import JobState, Purpose

FINISHED_JOBS = 20


def find_alike(
    session: Session, tenant: TenantId, body: JobCreate, *, is_replay: bool
) -> list[JobRow]:
    """Finished jobs whose student and teacher are of the same make.

    Only replays tell how long a replay takes, which asks nobody, and they tell it of no other.
    """
    wanted = _makes(body.student.model_dump())
    wanted_teacher = _teacher_make(body.teacher.model_dump())
    page = JobRepository(session).page(tenant, limit=FINISHED_JOBS, state=JobState.SUCCEEDED)
    return [
        row
        for row in page.rows
        if row.purpose == Purpose.DISTILL
        and (row.from_job_id is not None) == is_replay
        and _makes(row.spec["student"]) == wanted
        and _teacher_make(row.spec["teacher"]) == wanted_teacher
    ]


def forecast_seconds(finished: Sequence[JobRow], rows: int) -> Seconds | None:
    """Their seconds a text, times the texts: a job's time grows with its texts, not faster."""
    rates: list[float] = []
    sizes: list[int] = []
    for row in finished:
        size = row.progress_detail.get("rows")
        if size and row.started_at and row.finished_at:
            rates.append((row.finished_at - row.started_at).total_seconds() / size)
            sizes.append(size)
    if not rates:
        return None
    return Seconds(
        low=round(min(rates) * rows),
        high=max(1, round(max(rates) * rows)),
        basis=f"{len(rates)} finished jobs of {min(sizes)} to {max(sizes)} texts",
    )


def _makes(student: dict[str, Any]) -> list[tuple[str, str]]:
    """Which students are trained, by kind and base model, as far as their speed goes."""
    # Jobs of earlier releases have one student, which is an encoder.
    return [
        (each.get("kind", "encoder"), each["model"])
        for each in student.get("candidates", [student])
    ]


def _teacher_make(teacher: dict[str, Any]) -> tuple[str, str | None]:
    """Who teaches, by kind and model: language models differ in speed a hundredfold."""
    return teacher["kind"], teacher.get("model")
