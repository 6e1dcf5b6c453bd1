"""Aliases: which version a name of your own means, moved as one step."""

from functools import partial

import structlog
from sqlalchemy.orm import Session

from app.etags import Preconditions
from app.models.alias_checks import check_word, find_target
from app.models.errors import AliasReserved, NotAName, TooManyAliases
from app.models.references import ALIAS, NAME
from app.models.schemas import AliasMoved, AliasRead
from core.db.repositories.model_aliases import ModelAliasRepository, Pointer
from core.db.repositories.models import LATEST, ModelRepository
from core.db.session import after_commit
from core.errors import Gone, NotFound
from core.ids import TenantId, is_id

log = structlog.get_logger(__name__)

MOST_ALIASES = 100


def list_aliases(session: Session, tenant: TenantId, name: str) -> dict[str, object]:
    """All aliases of a name on one page, in alphabetical order, `latest` among them.

    Raises:
        NotFound: no model has this name.
        NotAName: it is an id.
        Gone: all that had it were deleted.
    """
    _require_name(session, tenant, name)
    told = [tell_alias(pointer) for pointer in ModelAliasRepository(session).of_name(tenant, name)]
    return {
        "object": "list",
        "data": told,
        "has_more": False,
        "first_id": told[0].alias,
        "last_id": told[-1].alias,
    }


def read_alias(session: Session, tenant: TenantId, name: str, alias: str) -> AliasRead:
    """What one alias points at.

    Raises:
        NotFound, Gone: as `list_aliases`; NotFound also if the name has no such alias.
    """
    _require_name(session, tenant, name)
    return tell_alias(_require_alias(session, tenant, name, alias))


def put_alias(
    session: Session,
    tenant: TenantId,
    *,
    name: str,
    alias: str,
    model_id: str,
    preconditions: Preconditions,
) -> tuple[AliasMoved, bool]:
    """Make an alias or move it; returns how it stands, and whether it is new.

    Raises:
        NotFound, Gone: as `list_aliases`; Gone also if the model was deleted.
        AliasReserved: the alias is `latest`.
        ValidationFailed: it is no word that can be an alias, or the model is none of the name's.
        PreconditionFailed: it is not as the client believes.
        TooManyAliases: it would be new, and the name has as many as it may have.
    """
    aliases = ModelAliasRepository(session)
    _hold(session, tenant, name)
    check_word(alias)
    target = find_target(session, tenant, name, model_id)
    before = aliases.get(tenant, name, alias=alias)
    preconditions.check(None if before is None else content_of(tell_alias(before)))
    if before is None and len(aliases.of_name(tenant, name)) >= MOST_ALIASES:
        raise TooManyAliases(f"{name} has {MOST_ALIASES} aliases already.")
    previous = None if before is None else before.alias.model_id
    # An alias that is there already was not moved: whoever repeats a request changes nothing.
    if previous != target.id:
        ModelRepository(session).point(tenant, name, alias=alias, model_id=target.id)
        after_commit(session, partial(_log_move, name, alias, to=target.id, previous=previous))
    now = tell_alias(_require_alias(session, tenant, name, alias))
    return AliasMoved(**now.model_dump(), previous_model_id=previous), before is None


def delete_alias(
    session: Session, tenant: TenantId, *, name: str, alias: str, preconditions: Preconditions
) -> None:
    """Take an alias away; the model it pointed at stays.

    Raises:
        NotFound, Gone: as `read_alias`.
        AliasReserved: the alias is `latest`.
        PreconditionFailed: it is not as the client believes.
    """
    _hold(session, tenant, name)
    pointer = _require_alias(session, tenant, name, alias)
    if alias == LATEST:
        raise AliasReserved(f"{name}@{LATEST} cannot be deleted.")
    preconditions.check(content_of(tell_alias(pointer)))
    ModelAliasRepository(session).remove(tenant, name, alias=alias)
    model_id = pointer.alias.model_id
    after_commit(session, partial(_log_move, name, alias, to=None, previous=model_id))


def tell_alias(pointer: Pointer) -> AliasRead:
    return AliasRead(
        object="model_alias",
        name=pointer.alias.name,
        alias=pointer.alias.alias,
        model_id=pointer.alias.model_id,
        version=pointer.version,
        moved_at=pointer.alias.moved_at,
    )


def content_of(alias: AliasRead) -> bytes:
    """What a GET answers, from which its ETag is made."""
    return alias.model_dump_json().encode()


def _hold(session: Session, tenant: TenantId, name: str) -> None:
    """`_require_name`, and keep the name's aliases and models as they are until the end."""
    _refuse_id(name)
    if NAME.fullmatch(name) is None or not ModelAliasRepository(session).hold(tenant, name):
        raise NotFound("model", name)
    _require_name(session, tenant, name)


def _require_name(session: Session, tenant: TenantId, name: str) -> None:
    _refuse_id(name)
    # `latest` points at a deleted model only once all of the name's are deleted.
    newest = ModelRepository(session).resolve(tenant, name) if NAME.fullmatch(name) else None
    if newest is None:
        raise NotFound("model", name)
    if newest.deleted_at is not None:
        raise Gone("model", name)


def _refuse_id(name: str) -> None:
    if is_id(name, prefix="model"):
        raise NotAName(name)


def _require_alias(session: Session, tenant: TenantId, name: str, alias: str) -> Pointer:
    pointer = None
    if ALIAS.fullmatch(alias):
        pointer = ModelAliasRepository(session).get(tenant, name, alias=alias)
    if pointer is None:
        raise NotFound("alias", f"{name}@{alias}")
    return pointer


def _log_move(name: str, alias: str, *, to: str | None, previous: str | None) -> None:
    log.info("alias_moved", name=name, alias=alias, to=to, previous=previous)
