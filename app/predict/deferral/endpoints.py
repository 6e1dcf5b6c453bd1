"""/models/{name}/deferral: what a model's teacher may be asked at prediction."""

from typing import Annotated

from fastapi import APIRouter, Path

from app.dependencies import AllowListDep, ReadSession, TenantDep, WriteSession
from app.predict.deferral import service
from app.predict.deferral.schemas import DeferralPut, DeferralRead
from app.strict_json import StrictRoute

router = APIRouter(prefix="/models/{name}/deferral", route_class=StrictRoute, tags=["predict"])

ModelPath = Annotated[
    str,
    Path(
        description="Id, name (its latest version), or `name@alias`: the model that it means now.",
        examples=["tickets"],
    ),
]


@router.put("", response_model=DeferralRead)
def put_deferral(
    name: ModelPath,
    body: DeferralPut,
    session: WriteSession,
    tenant: TenantDep,
    allow_list: AllowListDep,
) -> DeferralRead:
    """Let predictions ask the model's teacher, within these caps; nothing is called.

    The caps replace those there were. What was spent under them counts.
    """
    return service.put_deferral(session, tenant, name, body, allow_list=allow_list)


@router.get("", response_model=DeferralRead)
def get_deferral(name: ModelPath, session: ReadSession, tenant: TenantDep) -> DeferralRead:
    """The model's caps, and what of them is used; 404 while it is switched off."""
    return service.read_deferral(session, tenant, name)


@router.delete("", status_code=204)
def delete_deferral(name: ModelPath, session: WriteSession, tenant: TenantDep) -> None:
    """Switch it off. Caps and what was spent are forgotten; answers stay stored."""
    service.delete_deferral(session, tenant, name)
