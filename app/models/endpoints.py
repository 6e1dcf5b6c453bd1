"""GET /models and /models/{name}."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from app.dependencies import ReadSession, TenantDep
from app.etags import answer_if_changed
from app.models import service
from app.models.schemas import ModelRead
from app.pages import AfterParam, LimitParam, Page, check_cursor
from app.strict_json import StrictRoute

router = APIRouter(prefix="/models", route_class=StrictRoute, tags=["models"])


@router.get("", response_model=Page[ModelRead])
def list_models(
    session: ReadSession, tenant: TenantDep, limit: LimitParam = 20, after: AfterParam = None
) -> dict[str, object]:
    """Models, newest first."""
    cursor = check_cursor(after, prefix="model")
    return service.list_models(session, tenant, limit=limit, after=cursor)


@router.get("/{name}", response_model=ModelRead)
def get_model(
    request: Request,
    name: Annotated[
        str,
        Path(description="Id, name (its latest version), or `name@alias`.", examples=["tickets"]),
    ],
    session: ReadSession,
    tenant: TenantDep,
) -> Response:
    """One model."""
    model = service.read_model(session, tenant, name)
    return answer_if_changed(request, model.model_dump_json().encode())
