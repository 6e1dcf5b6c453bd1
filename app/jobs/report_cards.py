"""Report cards: a stored teacher is asked about a few texts, and teachers are put side by side."""

import hashlib
from typing import Any

import orjson
from sqlalchemy.orm import Session

from app.jobs import checks
from app.jobs.budget import BudgetSpec
from app.jobs.desk import Desk
from app.jobs.report_card_schemas import (
    FEWEST_ROWS,
    CardRead,
    ConsistencyRead,
    GoldRead,
    ReportCardCreate,
    ReportCardRead,
    ReportCards,
)
from app.jobs.rows import new_row, queue_row
from app.jobs.schemas import JobCreate
from app.jobs.service import find_job, replayed_job
from app.jobs.teacher_checks import check_budget, hold_teachers, with_teacher
from app.jobs.view import teacher_counts
from core.db.repositories.inserts import IdempotencyKeyTaken
from core.db.repositories.stages import StageRepository
from core.db.repositories.teachers import TeacherRepository
from core.db.tables import JobRow, JobStageRow
from core.errors import ErrorItem, Gone, NotFound, ValidationFailed
from core.ids import TeacherId, TenantId, is_id
from core.lifecycle import Purpose, Stage
from llkd.specs import OpenAITeacher

Json = dict[str, Any]
JOB_NAME = "report-card"
# Each text is asked about in two orders of the labels.
CALLS_A_ROW = 2
MOST_CARDS = 20


def create_report_card(
    desk: Desk,
    *,
    tenant: TenantId,
    teacher_id: str,
    body: ReportCardCreate,
    idempotency_key: str | None,
) -> tuple[ReportCardRead, bool]:
    """Queue it; returns it, and whether it is that of an earlier request with this key.

    Raises:
        NotFound: there is no such teacher.
        Gone: the teacher or the dataset was deleted.
        ValidationFailed, BudgetRequired, PriceUnknown: as for a job.
        IdempotencyMismatch: the key came before with another request.
        TooManyJobs: this tenant has as many unfinished ones as are allowed.
    """
    digest = _digest(teacher_id, body)
    with desk.database.read() as session:
        _check_teacher(session, tenant, teacher_id)
        earlier = replayed_job(session, tenant, idempotency_key, digest)
        if earlier is not None:
            return _tell(session, earlier), True
        job = _job_of(teacher_id, body)
        checks.find_datasets(session, tenant, job)
        job = with_teacher(session, tenant, job, allow_list=desk.allow_list, prices=desk.prices)
    check_budget(job.teacher, body.budget)
    with desk.database.write() as session:
        checks.hold_datasets(session, tenant, job)
        hold_teachers(session, tenant, job.teacher)
        # Asked again: the twin of this request may have come first since.
        earlier = replayed_job(session, tenant, idempotency_key, digest)
        if earlier is not None:
            return _tell(session, earlier), True
        row = new_row(job, tenant=tenant, idempotency_key=idempotency_key, digest=digest)
        row.purpose = Purpose.REPORT_CARD.value
        try:
            queue_row(session, row, settings=desk.settings, bell=desk.bell)
        except IdempotencyKeyTaken:
            earlier = replayed_job(session, tenant, idempotency_key, digest)
            assert earlier is not None, "the key is taken by a row that can be read"
            return _tell(session, earlier), True
        return _tell(session, row), False


def compare_report_cards(session: Session, tenant: TenantId, ids: str) -> ReportCards:
    """The report cards of this comma-separated list of job ids.

    Raises:
        ValidationFailed: none is named, or more than twenty are.
        NotFound: one of them is none of the tenant's report cards.
    """
    wanted = list(dict.fromkeys(part.strip() for part in ids.split(",") if part.strip()))
    if not 1 <= len(wanted) <= MOST_CARDS:
        message = f"Name 1 to {MOST_CARDS} report cards by their job ids, separated by commas."
        raise ValidationFailed(message, errors=[ErrorItem("query:ids", "invalid", message)])
    rows = [_find(session, tenant, job_id) for job_id in wanted]
    asked = {orjson.dumps(_asked(row), option=orjson.OPT_SORT_KEYS) for row in rows}
    return ReportCards(
        object="report_cards",
        same_texts=len(asked) == 1,
        data=[_tell(session, row) for row in rows],
    )


def _check_teacher(session: Session, tenant: TenantId, teacher_id: str) -> None:
    row = None
    if is_id(teacher_id, prefix="teacher"):
        row = TeacherRepository(session).get(tenant, TeacherId(teacher_id))
    if row is None:
        raise NotFound("teacher", teacher_id)
    if row.deleted_at is not None:
        raise Gone("teacher", teacher_id)


def _job_of(teacher_id: str, body: ReportCardCreate) -> JobCreate:
    """The job that asks as the request says, within twice as many calls as it has rows."""
    most = CALLS_A_ROW * body.rows
    calls = min(most, body.budget.max_teacher_calls or most)
    if calls < CALLS_A_ROW * FEWEST_ROWS:
        message = (
            f"A report card asks about {FEWEST_ROWS} texts at the least, and twice about each: "
            f"{calls} calls are too few for that."
        )
        pointer = "/budget/max_teacher_calls"
        raise ValidationFailed(message, errors=[ErrorItem(pointer, "too-few-calls", message)])
    budget = body.budget.model_dump() | {"max_teacher_calls": calls}
    return JobCreate(
        name=JOB_NAME,
        dataset_id=body.dataset_id,
        labels=body.labels,
        instruction=body.instruction,
        teacher=OpenAITeacher(
            teacher_id=teacher_id,
            confidence=body.confidence,
            votes=body.votes,
            examples_per_label=body.examples_per_label,
        ),
        budget=BudgetSpec.model_validate(budget),
    ).resolved()


def _digest(teacher_id: str, body: ReportCardCreate) -> str:
    meaning = {"report_card_of": teacher_id} | body.model_dump(mode="json")
    return hashlib.sha256(orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _find(session: Session, tenant: TenantId, job_id: str) -> JobRow:
    row = find_job(session, tenant, job_id)
    if row.purpose != Purpose.REPORT_CARD:
        raise NotFound("report card", job_id)
    return row


def _asked(row: JobRow) -> Json:
    """What decides which texts were asked about, and what was asked of them."""
    teacher = row.spec["teacher"]
    return {
        "dataset": row.dataset_id,
        "calls": row.cap_calls,
        "labels": row.spec["labels"],
        "instruction": row.spec["instruction"],
        "examples_per_label": teacher["examples_per_label"],
    }


def _tell(session: Session, row: JobRow) -> ReportCardRead:
    done = StageRepository(session).get(row.id)
    teacher = row.spec["teacher"]
    return ReportCardRead(
        object="report_card",
        job_id=row.id,
        teacher_id=teacher["teacher_id"],
        model=teacher["model"],
        dataset_id=row.dataset_id,
        labels=[label["name"] for label in row.spec["labels"]],
        state=row.state,
        error=row.error,
        card=tell_card(done[Stage.REPORT_CARD]) if Stage.REPORT_CARD in done else None,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


def tell_card(stage: JobStageRow) -> CardRead:
    """What a finished stage left, as the API tells it."""
    found = stage.output
    return CardRead(
        texts=found["texts"],
        answers=teacher_counts(found["answers"]),
        models=found["models"],
        rungs=found["rungs"],
        confidence_source=found["confidence_source"],
        gold=None if found["gold"] is None else _tell_gold(found["gold"]),
        consistency=None
        if found["consistency"] is None
        else ConsistencyRead.model_validate(found["consistency"]),
        cut_short=found["cut_short"],
        **found["cost"],
    )


def _tell_gold(found: Json) -> GoldRead:
    calibration = found["calibration"]
    return GoldRead.model_validate(
        {
            "rows": found["rows"],
            "accuracy": found["accuracy"],
            "macro_f1": found["macro_f1"],
            "ece": None if calibration is None else calibration["ece"],
            "per_label": found["per_class"],
            "confusion": found["confusion"],
        }
    )
