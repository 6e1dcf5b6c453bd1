"""/models: read, list, take away and delete what jobs made."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from app.dependencies import (
    ArtifactsDep,
    DatabaseDep,
    ReadSession,
    SettingsDep,
    TenantDep,
    WriteSession,
)
from app.etags import PreconditionsDep, answer_if_changed, is_held
from app.models import service
from app.models.archive import archive_size, write_archive
from app.models.archive_response import ArchiveResponse
from app.models.export import ExportFormat, find_export
from app.models.schemas import ModelRead
from app.negotiation import TAR
from app.pages import AfterParam, LimitParam, Page, check_cursor
from app.strict_json import StrictRoute

router = APIRouter(prefix="/models", route_class=StrictRoute, tags=["models"])

ReferencePath = Annotated[
    str,
    Path(description="Id, name (its latest version), or `name@alias`.", examples=["tickets"]),
]


@router.get("", response_model=Page[ModelRead])
def list_models(
    session: ReadSession,
    tenant: TenantDep,
    settings: SettingsDep,
    limit: LimitParam = 20,
    after: AfterParam = None,
    name: Annotated[
        str | None,
        Query(max_length=80, description="Only versions of this name.", examples=["tickets"]),
    ] = None,
) -> dict[str, object]:
    """Models, newest first."""
    cursor = check_cursor(after, prefix="model")
    pinned = settings.predict_engine
    return service.list_models(session, tenant, limit=limit, after=cursor, name=name, pinned=pinned)


@router.get(
    "/{name}",
    response_model=ModelRead,
    responses={304: {"description": "Unchanged since the ETag that came with If-None-Match."}},
)
def get_model(
    request: Request,
    name: ReferencePath,
    session: ReadSession,
    tenant: TenantDep,
    settings: SettingsDep,
) -> Response:
    """One model."""
    model = service.read_model(session, tenant, name, pinned=settings.predict_engine)
    return answer_if_changed(request, model.model_dump_json().encode())


@router.delete("/{name}", status_code=204)
def delete_model(
    name: ReferencePath,
    session: WriteSession,
    tenant: TenantDep,
    settings: SettingsDep,
    preconditions: PreconditionsDep,
) -> None:
    """Delete a model, named by its id: a name or an alias may mean another one by then.

    Refused while an alias other than `latest` points at it, or an unfinished job starts from it.
    Its kept texts go with it. `latest` falls back to the newest version that is left; when none
    is, the name answers 410 until a job makes its next version.
    It cannot be undone. Predictions stop within a second, and the files leave the disk a day
    later.
    """
    pinned = settings.predict_engine
    service.delete_model(session, tenant, name, preconditions=preconditions, pinned=pinned)


@router.get(
    "/{name}/export",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "A tar archive of one folder.",
            "content": {TAR: {"schema": {"type": "string", "format": "binary"}}},
        },
        304: {"description": "Unchanged since the ETag that came with If-None-Match."},
    },
)
def export_model(
    request: Request,
    name: ReferencePath,
    tenant: TenantDep,
    database: DatabaseDep,
    artifacts: ArtifactsDep,
    export_as: Annotated[
        ExportFormat,
        Query(
            alias="format",
            description="`onnx`: to predict with ONNX Runtime. `safetensors`: weights for PyTorch, "
            "to train further.",
            examples=["onnx"],
        ),
    ] = "onnx",
) -> Response:
    """Take a model away: a tar archive with its model card, which says how to run it.

    It needs nothing of this service. The same model gives the same bytes each time. If a file
    turns out damaged on the way, the connection ends before the announced length is reached.
    """
    # Ended before the answer begins: a slow client must not hold it.
    with database.read() as session:
        model = service.find_model(session, tenant, name)
    export = find_export(artifacts, model, export_as)
    headers = {"ETag": export.tag, "Cache-Control": "private, no-cache"}
    if is_held(request, export.tag):
        return Response(status_code=304, headers=headers)
    headers["Content-Length"] = str(archive_size(export.members))
    headers["Content-Disposition"] = f'attachment; filename="{export.filename}"'
    return ArchiveResponse(write_archive(export.members), media_type=TAR, headers=headers)
