"""/datasets: bring texts, see what was made of them, delete them."""

import os
from functools import partial
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Path, Query, Request, Response

from app.datasets import service
from app.datasets.documentation import CREATE_EXTRA
from app.datasets.receiving import receive
from app.datasets.schemas import DATASET_ID, DatasetRead, IssueRead, TextRead
from app.datasets.upload import workplace
from app.dependencies import (
    ArtifactsDep,
    DatabaseDep,
    ReadSession,
    SettingsDep,
    TenantDep,
    WriteSession,
)
from app.found_files import read_found
from app.idempotency import REPLAYED, IdempotencyKeyDep
from app.pages import AfterParam, InvalidCursor, LimitParam, Page, check_cursor
from app.strict_json import StrictRoute
from core.db.tables import DatasetRow

router = APIRouter(prefix="/datasets", route_class=StrictRoute, tags=["datasets"])

# Each file that is read takes a core and up to half a gigabyte; the next ones wait.
READERS = CapacityLimiter(max(2, os.cpu_count() or 2))
# More than any dataset has texts.
MAX_INDEX = 10**9

DatasetIdPath = Annotated[str, Path(description="Id of the dataset.", examples=[DATASET_ID])]
IndexParam = Annotated[
    str | None, Query(max_length=80, description="`last_id` of the page before.", examples=["19"])
]


@router.post("", response_model=DatasetRead, status_code=201, openapi_extra=CREATE_EXTRA)
async def create_dataset(
    request: Request,
    response: Response,
    tenant: TenantDep,
    idempotency_key: IdempotencyKeyDep,
    settings: SettingsDep,
    database: DatabaseDep,
    artifacts: ArtifactsDep,
) -> DatasetRow:
    """Upload a file of texts, send rows as JSON, or name a model whose unsure texts are kept; the
    answer says what was found."""
    with service.one_at_a_time(tenant, idempotency_key), workplace(artifacts) as folder:
        upload = await receive(request, folder, settings)
        make = partial(
            service.make_dataset,
            database,
            artifacts,
            tenant=tenant,
            upload=upload,
            folder=folder,
            key=idempotency_key,
            quota=settings.max_tenant_bytes,
        )
        row, is_replay = await to_thread.run_sync(make, limiter=READERS)
    response.headers["Location"] = f"/datasets/{row.id}"
    if is_replay:
        response.headers.update(REPLAYED)
    return row


@router.get("", response_model=Page[DatasetRead])
def list_datasets(
    session: ReadSession, tenant: TenantDep, limit: LimitParam = 20, after: AfterParam = None
) -> dict[str, Any]:
    """Datasets, newest first."""
    after = check_cursor(after, prefix="ds")
    return service.list_datasets(session, tenant, limit=limit, after=after)


@router.get("/{dataset_id}", response_model=DatasetRead)
def get_dataset(dataset_id: DatasetIdPath, session: ReadSession, tenant: TenantDep) -> DatasetRow:
    """One dataset and its statistics."""
    return service.find_dataset(session, tenant, dataset_id)


@router.get("/{dataset_id}/rows", response_model=Page[TextRead])
def list_rows(
    dataset_id: DatasetIdPath,
    tenant: TenantDep,
    database: DatabaseDep,
    artifacts: ArtifactsDep,
    limit: LimitParam = 20,
    after: IndexParam = None,
) -> dict[str, Any]:
    """The different texts, in the order of their first appearance."""
    start = _start(after)
    return read_found(
        database,
        lambda session: service.find_dataset(session, tenant, dataset_id).rows_artifact,
        lambda digest: service.read_entries(artifacts.path(digest), start=start, limit=limit),
    )


@router.get("/{dataset_id}/issues", response_model=Page[IssueRead])
def list_issues(
    dataset_id: DatasetIdPath,
    tenant: TenantDep,
    database: DatabaseDep,
    artifacts: ArtifactsDep,
    limit: LimitParam = 20,
    after: IndexParam = None,
) -> dict[str, Any]:
    """Rows that were set aside and values that were dropped, each with its place and reason."""
    start = _start(after)
    return read_found(
        database,
        lambda session: service.find_dataset(session, tenant, dataset_id).issues_artifact,
        lambda digest: service.read_entries(artifacts.path(digest), start=start, limit=limit),
    )


@router.delete("/{dataset_id}", status_code=204)
def delete_dataset(dataset_id: DatasetIdPath, session: WriteSession, tenant: TenantDep) -> None:
    """Delete a dataset; refused while an unfinished job reads it."""
    service.delete_dataset(session, tenant, dataset_id)


def _start(after: str | None) -> int:
    if after is None:
        return 0
    if not (after.isascii() and after.isdigit() and int(after) < MAX_INDEX):
        raise InvalidCursor
    return int(after) + 1
