"""What a job made, to read or to take away: labels, report, audit, a pilot's forecast."""

from typing import Annotated

import orjson
from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from app.dependencies import ArtifactsDep, DatabaseDep, ReadSession, TenantDep
from app.found_files import read_found
from app.jobs import audit, disagreements, labels, pilot, report
from app.jobs.audit import AuditRead
from app.jobs.comparison import Comparison, compare_jobs
from app.jobs.disagreements import DisagreementRead
from app.jobs.label_schemas import MEDIA_TYPES, ExportFormat, LabelRead
from app.jobs.paths import JobIdPath
from app.jobs.pilot import ForecastRead
from app.jobs.report_schemas import ReportRead
from app.pages import InvalidCursor, LimitParam, Page
from app.strict_json import StrictRoute

router = APIRouter(route_class=StrictRoute)

# More texts than a dataset may have.
MAX_INDEX = 10**9


@router.get(
    "/{job_id}/labels",
    response_model=Page[LabelRead],
    responses={
        200: {
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}}
                for kind in MEDIA_TYPES.values()
            }
        }
    },
)
def read_labels(
    job_id: JobIdPath,
    tenant: TenantDep,
    database: DatabaseDep,
    artifacts: ArtifactsDep,
    *,
    limit: LimitParam = 100,
    after: Annotated[
        str | None, Query(max_length=80, description="`last_id` of the page before.")
    ] = None,
    export_as: Annotated[
        ExportFormat | None,
        Query(alias="format", description="The whole file in this format, instead of a page."),
    ] = None,
    safe_csv: Annotated[
        bool,
        Query(description="CSV: put ' before cells that a spreadsheet would calculate."),
    ] = True,
) -> Response:
    """The teacher's answers beside their texts, in the order of the dataset."""
    start = _start(after)
    if export_as is None:
        page = read_found(
            database,
            lambda session: labels.find_files(session, artifacts, tenant, job_id),
            lambda files: labels.read_page(files, start=start, limit=limit),
        )
        return Response(orjson.dumps(page, default=_dump), media_type="application/json")
    # Ended before the answer begins: an export of millions of rows must not hold it.
    with database.read() as session:
        files = labels.find_files(session, artifacts, tenant, job_id)
    name = f"{job_id}-labels.{export_as}"
    return StreamingResponse(
        labels.export(files, export_as, safe_csv=safe_csv),
        media_type=MEDIA_TYPES[export_as],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get("/compare", response_model=Comparison)
def compare(
    tenant: TenantDep,
    database: DatabaseDep,
    artifacts: ArtifactsDep,
    ids: Annotated[
        str, Query(max_length=1000, description="Two to twenty job ids, separated by commas.")
    ],
) -> Comparison:
    """Jobs side by side, with the curves of their training, and by how much each student is
    better than the first one."""
    return compare_jobs(database, artifacts, tenant, ids)


@router.get("/{job_id}/report", response_model=ReportRead)
def read_report(job_id: JobIdPath, session: ReadSession, tenant: TenantDep) -> ReportRead:
    """How good teacher and student are, and what it took."""
    return report.read_report(session, tenant, job_id)


@router.get("/{job_id}/forecast", response_model=ForecastRead)
def read_forecast(job_id: JobIdPath, session: ReadSession, tenant: TenantDep) -> ForecastRead:
    """What a pilot expects of more answers; to ask starts no pilot, and buys nothing."""
    return pilot.read_forecast(session, tenant, job_id)


@router.get("/{job_id}/disagreements", response_model=Page[DisagreementRead])
def read_disagreements(
    job_id: JobIdPath,
    tenant: TenantDep,
    database: DatabaseDep,
    artifacts: ArtifactsDep,
    *,
    limit: LimitParam = 50,
    after: Annotated[
        str | None, Query(max_length=80, description="`last_id` of the page before.")
    ] = None,
) -> dict[str, object]:
    """Texts that teacher and student label differently, the surest first.

    As sure as the less sure of the two. Which texts were compared, and how many there are, is in
    the report.
    """
    return read_found(
        database,
        lambda session: disagreements.find_files(session, artifacts, tenant, job_id),
        lambda files: disagreements.read_disagreements(files, after=after, limit=limit),
    )


@router.get("/{job_id}/audit", response_model=AuditRead)
def read_audit(
    job_id: JobIdPath,
    tenant: TenantDep,
    database: DatabaseDep,
    artifacts: ArtifactsDep,
    *,
    limit: LimitParam = 50,
) -> AuditRead:
    """Which pseudo-labels are likely wrong, which labels overlap, which texts fit none."""
    return read_found(
        database,
        lambda session: audit.find_files(session, artifacts, tenant, job_id),
        lambda files: audit.read_audit(files, limit=limit),
    )


def _start(after: str | None) -> int:
    if after is None:
        return 0
    if not (after.isascii() and after.isdigit()) or int(after) > MAX_INDEX:
        raise InvalidCursor
    return int(after) + 1


def _dump(value: object) -> object:
    assert isinstance(value, LabelRead)
    return value.model_dump(mode="json")
