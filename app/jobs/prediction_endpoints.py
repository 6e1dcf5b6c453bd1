"""/predictions: a dataset in, a file of predictions out."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from app.dependencies import (
    ArtifactsDep,
    DatabaseDep,
    ReadSession,
    TenantDep,
    WriteSession,
)
from app.etags import answer_if_changed
from app.idempotency import IdempotencyKeyDep
from app.jobs import prediction_output, predictions
from app.jobs.accepted import ACCEPTED, accepted
from app.jobs.desk import DeskDep
from app.jobs.label_schemas import MEDIA_TYPES, ExportFormat
from app.jobs.prediction_schemas import PredictionJobCreate, PredictionJobRead
from app.jobs.schemas import EXAMPLE_JOB
from app.jobs.view import retry_after
from app.pages import AfterParam, LimitParam, Page, check_cursor
from app.strict_json import StrictRoute
from core.lifecycle import JobState

router = APIRouter(prefix="/predictions", route_class=StrictRoute, tags=["predict"])

PredictionJobIdPath = Annotated[
    str, Path(description="Id of the prediction job.", examples=[EXAMPLE_JOB])
]


@router.post("", response_model=PredictionJobRead, status_code=202, responses=ACCEPTED)
def create_prediction_job(
    body: PredictionJobCreate,
    tenant: TenantDep,
    idempotency_key: IdempotencyKeyDep,
    desk: DeskDep,
) -> Response:
    """Have a model answer every text of a dataset, as a job that survives its worker.

    For texts that shall be answered at once there is `POST /predict`; the answers are the same.
    """
    job, is_replay = predictions.create_prediction_job(
        desk,
        tenant=tenant,
        body=body,
        idempotency_key=idempotency_key,
    )
    return accepted(job, location=f"/predictions/{job.id}", is_replay=is_replay)


@router.get("", response_model=Page[PredictionJobRead])
def list_prediction_jobs(
    session: ReadSession,
    tenant: TenantDep,
    limit: LimitParam = 20,
    after: AfterParam = None,
    state: Annotated[JobState | None, Query(description="Only those in this state.")] = None,
) -> dict[str, object]:
    """Prediction jobs, newest first."""
    cursor = check_cursor(after, prefix="job")
    return predictions.list_prediction_jobs(session, tenant, limit=limit, after=cursor, state=state)


@router.get(
    "/{job_id}",
    response_model=PredictionJobRead,
    responses={304: {"description": "Unchanged since the ETag that came with If-None-Match."}},
)
def get_prediction_job(
    request: Request, job_id: PredictionJobIdPath, session: ReadSession, tenant: TenantDep
) -> Response:
    """One prediction job, as it is now; poll it every Retry-After seconds."""
    job = predictions.read_prediction_job(session, tenant, job_id)
    wait = retry_after(job.state, job.progress.eta_seconds)
    return answer_if_changed(request, job.model_dump_json().encode(), headers=wait)


@router.post("/{job_id}/cancel", response_model=PredictionJobRead)
def cancel_prediction_job(
    job_id: PredictionJobIdPath, session: WriteSession, tenant: TenantDep
) -> PredictionJobRead:
    """Ask it to stop: a queued one at once, a running one at its next heartbeat."""
    return predictions.cancel_prediction_job(session, tenant, job_id)


@router.get(
    "/{job_id}/output",
    response_class=Response,
    responses={
        200: {
            "description": "The file.",
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}}
                for kind in MEDIA_TYPES.values()
            },
        }
    },
)
def read_output(
    job_id: PredictionJobIdPath,
    tenant: TenantDep,
    database: DatabaseDep,
    artifacts: ArtifactsDep,
    *,
    export_as: Annotated[
        ExportFormat, Query(alias="format", description="Format of the file.")
    ] = "jsonl",
    safe_csv: Annotated[
        bool,
        Query(description="CSV: put ' before cells that a spreadsheet would calculate."),
    ] = True,
) -> Response:
    """The answers beside their texts, in the order of the dataset, once the job has succeeded."""
    # Ended before the answer begins: an export of millions of rows must not hold it.
    with database.read() as session:
        files = prediction_output.find_files(session, artifacts, tenant, job_id)
    return StreamingResponse(
        prediction_output.export(files, export_as, safe_csv=safe_csv),
        media_type=MEDIA_TYPES[export_as],
        headers={"Content-Disposition": f'attachment; filename="{job_id}.{export_as}"'},
    )
