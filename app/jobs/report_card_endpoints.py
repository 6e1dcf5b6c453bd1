"""/teachers/…/report-card: a look at a stored teacher before a job spends on it."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from app.dependencies import ReadSession, TenantDep
from app.idempotency import REPLAYED, IdempotencyKeyDep
from app.jobs.desk import DeskDep
from app.jobs.report_card_schemas import ReportCardCreate, ReportCardRead, ReportCards
from app.jobs.report_cards import compare_report_cards, create_report_card
from app.jobs.schemas import EXAMPLE_JOB
from app.strict_json import StrictRoute
from llkd.specs.teachers import EXAMPLE_TEACHER

# Under the teachers' path, because it is about one; here, because a job does it.
router = APIRouter(prefix="/teachers", route_class=StrictRoute, tags=["teachers"])


@router.get("/report-cards", response_model=ReportCards)
def read_report_cards(
    session: ReadSession,
    tenant: TenantDep,
    ids: Annotated[
        str,
        Query(
            max_length=1000,
            description="Ids of the report cards' jobs, separated by commas; 20 at the most.",
            examples=[EXAMPLE_JOB],
        ),
    ],
) -> ReportCards:
    """Teachers side by side: their report cards, in the order in which they are named."""
    return compare_report_cards(session, tenant, ids)


@router.post(
    "/{teacher_id}/report-card",
    response_model=ReportCardRead,
    status_code=202,
    responses={202: {"description": "Queued; `Location` is where to find it."}},
)
def create_card(
    response: Response,
    teacher_id: Annotated[str, Path(description="Id of the teacher.", examples=[EXAMPLE_TEACHER])],
    body: ReportCardCreate,
    tenant: TenantDep,
    idempotency_key: IdempotencyKeyDep,
    desk: DeskDep,
) -> ReportCardRead:
    """Ask a teacher about 50 to 200 texts, twice each with the labels in another order.

    It buys answers, as a job of its own, within its budget. They are stored: a later job with
    the same labels, instruction and teacher does not buy the first half of them again.
    """
    card, is_replay = create_report_card(
        desk,
        tenant=tenant,
        teacher_id=teacher_id,
        body=body,
        idempotency_key=idempotency_key,
    )
    response.headers["Location"] = f"/teachers/report-cards?ids={card.job_id}"
    if is_replay:
        response.headers.update(REPLAYED)
    return card
