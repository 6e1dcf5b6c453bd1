"""/models/{name}/kept_texts: the texts that a model was unsure of."""

from typing import Annotated

from fastapi import APIRouter, Path

from app.dependencies import ReadSession, TenantDep, WriteSession
from app.models import kept_texts
from app.models.kept_text_schemas import KeepingRead, KeepingWrite, KeptTextsRead
from app.pages import AfterParam, LimitParam
from app.strict_json import StrictRoute

router = APIRouter(prefix="/models", route_class=StrictRoute, tags=["models"])

ModelPath = Annotated[
    str, Path(description="Id, name (its latest version), or `name@alias`.", examples=["tickets"])
]


@router.put("/{name}/kept_texts", response_model=KeepingRead)
def keep_texts(
    name: ModelPath, body: KeepingWrite, session: WriteSession, tenant: TenantDep
) -> KeepingRead:
    """Keep the texts that this very model is unsure of, from now on, until they are deleted.

    A name is resolved once: its next version keeps nothing until it is asked to.
    """
    return kept_texts.keep_texts(session, tenant, name, body)


@router.get("/{name}/kept_texts", response_model=KeptTextsRead)
def read_kept_texts(
    name: ModelPath,
    session: ReadSession,
    tenant: TenantDep,
    limit: LimitParam = 20,
    after: AfterParam = None,
) -> KeptTextsRead:
    """What is kept of this model's texts. A text is there about two seconds after its answer."""
    return kept_texts.read_texts(session, tenant, name, limit=limit, after=after)


@router.delete("/{name}/kept_texts", status_code=204)
def forget_kept_texts(name: ModelPath, session: WriteSession, tenant: TenantDep) -> None:
    """Keep no more of this model's texts, and delete those that were kept."""
    kept_texts.forget_texts(session, tenant, name)
