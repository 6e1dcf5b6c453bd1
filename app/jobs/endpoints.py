"""/jobs: ask for a distillation, follow it, stop it."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response, StreamingResponse

from app.dependencies import DatabaseDep, ReadSession, TenantDep, WriteSession
from app.etags import answer_if_changed
from app.idempotency import IdempotencyKeyDep
from app.jobs import event_pages, service
from app.jobs.accepted import ACCEPTED, accepted
from app.jobs.desk import DeskDep
from app.jobs.estimate import estimate_job
from app.jobs.estimate_schemas import EstimateRead
from app.jobs.event_stream import StreamPlaces, stream_events
from app.jobs.filters import METADATA_PARAMETER, read_metadata_filter
from app.jobs.history_endpoints import router as histories
from app.jobs.paths import JobIdPath
from app.jobs.result_endpoints import router as results
from app.jobs.retry import retry_job
from app.jobs.schemas import DATASET_ID, JOB_ID, EstimateBody, EventRead, JobBody, JobRead
from app.jobs.view import retry_after
from app.negotiation import EVENT_STREAM, JSON, negotiate
from app.pages import AfterParam, LimitParam, Page, check_cursor
from app.strict_json import StrictRoute
from core.lifecycle import JobState

router = APIRouter(prefix="/jobs", route_class=StrictRoute, tags=["jobs"])

router.include_router(results)
router.include_router(histories)


@router.post("", response_model=JobRead, status_code=202, responses=ACCEPTED)
def create_job(
    body: JobBody, tenant: TenantDep, idempotency_key: IdempotencyKeyDep, desk: DeskDep
) -> Response:
    """Queue a distillation: the dataset's texts are labelled, a student learns, and is served.

    With `from_job`, another student is made from that job's answers, and no teacher is asked.
    """
    job, is_replay = service.create_job(
        desk, tenant=tenant, body=body, idempotency_key=idempotency_key
    )
    return accepted(job, location=f"/jobs/{job.id}", is_replay=is_replay)


@router.post("/estimate", response_model=EstimateRead)
def estimate(body: EstimateBody, tenant: TenantDep, desk: DeskDep) -> EstimateRead:
    """What this job would take; checked as if it were queued, and nothing is bought.

    With `pilot`, 300 answers are: a forecast of macro-F1 by answers comes of them. With
    `from_job`, nobody is asked.
    """
    return estimate_job(desk, tenant=tenant, body=body)


@router.get("", response_model=Page[JobRead], openapi_extra={"parameters": [METADATA_PARAMETER]})
def list_jobs(
    session: ReadSession,
    tenant: TenantDep,
    metadata: Annotated[Mapping[str, str], Depends(read_metadata_filter)],
    limit: LimitParam = 20,
    after: AfterParam = None,
    state: Annotated[JobState | None, Query(description="Only jobs in this state.")] = None,
    dataset_id: Annotated[
        str | None,
        Query(pattern=DATASET_ID, description="Only jobs that learn from this dataset."),
    ] = None,
    from_job: Annotated[
        str | None,
        Query(pattern=JOB_ID, description="Only jobs that go from this one's answers."),
    ] = None,
) -> dict[str, object]:
    """Jobs, newest first."""
    return service.list_jobs(
        session,
        tenant,
        limit=limit,
        after=check_cursor(after, prefix="job"),
        state=state,
        dataset_id=dataset_id,
        from_job=from_job,
        metadata=metadata,
    )


@router.get(
    "/{job_id}",
    response_model=JobRead,
    responses={304: {"description": "Unchanged since the ETag that came with If-None-Match."}},
)
def get_job(
    request: Request, job_id: JobIdPath, session: ReadSession, tenant: TenantDep
) -> Response:
    """One job, as it is now; poll it every Retry-After seconds, or follow its events."""
    job = service.read_job(session, service.find_job(session, tenant, job_id))
    wait = retry_after(job.state, job.progress.eta_seconds)
    return answer_if_changed(request, job.model_dump_json().encode(), headers=wait)


@router.post("/{job_id}/cancel", response_model=JobRead)
def cancel_job(job_id: JobIdPath, session: WriteSession, tenant: TenantDep) -> JobRead:
    """Ask a job to stop: a queued one at once, a running one at its next heartbeat."""
    return service.cancel_job(session, tenant, job_id)


@router.post("/{job_id}/retry", response_model=JobRead, status_code=202, responses=ACCEPTED)
def retry(
    job_id: JobIdPath,
    tenant: TenantDep,
    idempotency_key: IdempotencyKeyDep,
    desk: DeskDep,
) -> Response:
    """Queue the request of a failed or cancelled job once more, as a new job.

    The answers that the earlier one bought are found again.
    """
    job, is_replay = retry_job(desk, tenant=tenant, job_id=job_id, idempotency_key=idempotency_key)
    return accepted(job, location=f"/jobs/{job.id}", is_replay=is_replay)


@router.get(
    "/{job_id}/events",
    response_model=Page[EventRead],
    responses={
        200: {"content": {EVENT_STREAM: {"schema": {"type": "string"}}}},
        204: {"description": "Stream: the job has ended and there is nothing more to tell."},
    },
)
async def read_events(
    request: Request,
    job_id: JobIdPath,
    tenant: TenantDep,
    database: DatabaseDep,
    limit: LimitParam = 100,
    after: Annotated[
        str | None, Query(max_length=80, description="Id of the last event you have.")
    ] = None,
    last_event_id: Annotated[
        str | None, Header(max_length=80, description="Stream: as `after`.")
    ] = None,
) -> Response:
    """What happened to a job, oldest first: a page, or a stream with Accept: text/event-stream."""
    kind = negotiate(request, (JSON, EVENT_STREAM))
    start = event_pages.read_cursor(after, last_event_id)
    read = partial(service.read_news, database, tenant, job_id)
    if kind == JSON:
        asked = partial(read, start, limit=limit + 1)
        return event_pages.page(await anyio.to_thread.run_sync(asked), limit)
    news = await anyio.to_thread.run_sync(read, start)
    if news.ended and not news.events:
        # An EventSource that is told 204 stops coming back.
        return Response(status_code=204)
    places: StreamPlaces = request.app.state.event_streams
    places.refuse_when_full()
    return StreamingResponse(
        stream_events(read, after=start, places=places),
        media_type=EVENT_STREAM,
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )
