"""How a training goes: asked while it does, and afterwards."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.dependencies import ArtifactsDep, DatabaseDep, ReadSession, TenantDep
from app.jobs import history
from app.jobs.history_schemas import SelectionMapRead, TrainingHistoryRead
from app.jobs.paths import JobIdPath
from app.strict_json import StrictRoute
from llkd.specs import MOST_CANDIDATES

router = APIRouter(route_class=StrictRoute)

CandidateParam = Annotated[
    int | None,
    Query(
        ge=0,
        lt=MOST_CANDIDATES,
        description="Which student, of a job that trains several; without it the one that was "
        "kept, or the newest one while none is.",
    ),
]


@router.get("/{job_id}/training", response_model=TrainingHistoryRead)
def read_training(
    job_id: JobIdPath,
    session: ReadSession,
    tenant: TenantDep,
    points: Annotated[
        int, Query(ge=1, le=2000, description="Points at the most, evenly drawn.")
    ] = 500,
    candidate: CandidateParam = None,
) -> Response:
    """The curve of a training: loss, share selected, held-out score, thresholds by label."""
    told = history.read_training(session, tenant, job_id, points=points, candidate=candidate)
    return Response(told, media_type="application/json")


@router.get("/{job_id}/selection", response_model=SelectionMapRead)
def read_selection(
    job_id: JobIdPath,
    tenant: TenantDep,
    database: DatabaseDep,
    artifacts: ArtifactsDep,
    frame: Annotated[
        str,
        Query(
            pattern="^(latest|[0-9]{1,12})$",
            description="Number of a frame, or `latest`. If there is none of this number, as when "
            "it was left out since, the last one before it.",
        ),
    ] = "latest",
    candidate: CandidateParam = None,
) -> Response:
    """The map of a selection: texts by the teacher's confidence and the student's uncertainty,
    with the thresholds of that moment."""
    told = history.read_selection(
        database,
        artifacts,
        tenant,
        job_id,
        number=history.LATEST if frame == "latest" else int(frame),
        candidate=candidate,
    )
    return Response(told.model_dump_json(), media_type="application/json")
