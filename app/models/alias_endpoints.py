"""/models/{name}/aliases: names of your own for a version, and how they move."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from app.dependencies import ReadSession, TenantDep, WriteSession
from app.etags import PreconditionsDep, answer_if_changed
from app.models import aliases
from app.models.schemas import AliasMoved, AliasPut, AliasRead
from app.pages import Page
from app.strict_json import StrictRoute

router = APIRouter(prefix="/models/{name}/aliases", route_class=StrictRoute, tags=["models"])

NamePath = Annotated[str, Path(description="Name of the models, no id.", examples=["tickets"])]
AliasPath = Annotated[
    str,
    Path(
        description="1 to 64 of a-z, 0-9, '.', '_' and '-'; nothing that reads as a version.",
        examples=["champion"],
    ),
]


@router.get("", response_model=Page[AliasRead])
def list_aliases(name: NamePath, session: ReadSession, tenant: TenantDep) -> dict[str, object]:
    """All aliases of a name, `latest` among them, on one page in alphabetical order."""
    return aliases.list_aliases(session, tenant, name)


@router.get(
    "/{alias}",
    response_model=AliasRead,
    responses={304: {"description": "Unchanged since the ETag that came with If-None-Match."}},
)
def get_alias(
    request: Request, name: NamePath, alias: AliasPath, session: ReadSession, tenant: TenantDep
) -> Response:
    """What one alias points at; its ETag is what If-Match takes."""
    told = aliases.read_alias(session, tenant, name, alias)
    return answer_if_changed(request, aliases.content_of(told))


@router.put(
    "/{alias}",
    response_model=AliasMoved,
    responses={
        201: {"description": "The alias is new.", "model": AliasMoved},
        412: {"description": "It is not as If-Match or If-None-Match says; it was not moved."},
    },
)
def put_alias(
    response: Response,
    name: NamePath,
    alias: AliasPath,
    body: AliasPut,
    session: WriteSession,
    tenant: TenantDep,
    preconditions: PreconditionsDep,
) -> AliasMoved:
    """Make an alias, or move it to another version, in one step: at no time does it point nowhere.

    The alias is what changes, so it is what is put, and what has an ETag. As a list of aliases
    on two models, a move would be two changes with a gap between them. To roll back, put
    `previous_model_id`. Predictions follow within a second, and each names the model that gave
    it. `latest` cannot be moved: it is the newest version that is not deleted.
    """
    moved, is_new = aliases.put_alias(
        session,
        tenant,
        name=name,
        alias=alias,
        model_id=body.model_id,
        preconditions=preconditions,
    )
    response.status_code = 201 if is_new else 200
    return moved


@router.delete("/{alias}", status_code=204)
def delete_alias(
    name: NamePath,
    alias: AliasPath,
    session: WriteSession,
    tenant: TenantDep,
    preconditions: PreconditionsDep,
) -> None:
    """Take an alias away; the model that it pointed at stays. `latest` cannot be deleted."""
    aliases.delete_alias(session, tenant, name=name, alias=alias, preconditions=preconditions)
