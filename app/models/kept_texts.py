"""What can be done with a model's unsure texts: kept, read, deleted."""

import re

from sqlalchemy.orm import Session

from app.models.kept_text_schemas import KeepingRead, KeepingWrite, KeptTextRead, KeptTextsRead
from app.models.service import find_model
from app.pages import InvalidCursor
from core.db.repositories.kept_texts import KeptTextRepository
from core.db.repositories.models import ModelRepository
from core.db.tables import TextKeepingRow
from core.errors import Gone
from core.ids import TenantId

_DIGEST = re.compile(r"[0-9a-f]{64}")


def keep_texts(
    session: Session, tenant: TenantId, reference: str, body: KeepingWrite
) -> KeepingRead:
    """Switch it on, or change which texts are kept.

    Raises:
        NotFound, Gone: as `find_model`.
    """
    found = find_model(session, tenant, reference)
    model = ModelRepository(session).hold(tenant, found.id)
    if model is None or model.deleted_at is not None:
        raise Gone("model", reference)
    keeping = KeptTextRepository(session).switch_on(
        tenant, model.id, below=body.below, max_rows=body.max_rows
    )
    return _tell(session, keeping)


def forget_texts(session: Session, tenant: TenantId, reference: str) -> None:
    """Switch it off and delete what was kept; off already, nothing changes.

    Raises:
        NotFound, Gone: as `find_model`.
    """
    model = find_model(session, tenant, reference)
    KeptTextRepository(session).switch_off(tenant, model.id)


def read_texts(
    session: Session, tenant: TenantId, reference: str, *, limit: int, after: str | None
) -> KeptTextsRead:
    """A page of what is kept, and what is asked to be.

    Raises:
        NotFound, Gone: as `find_model`.
        InvalidCursor: `after` is nothing that a page has given.
    """
    if after is not None and _DIGEST.fullmatch(after) is None:
        raise InvalidCursor
    model = find_model(session, tenant, reference)
    kept = KeptTextRepository(session)
    keeping = kept.keeping(tenant, model.id)
    page = kept.page(model.id, limit=limit, after=after)
    return KeptTextsRead(
        object="list",
        keeping=None if keeping is None else _tell(session, keeping),
        data=[KeptTextRead.model_validate(row) for row in page.rows],
        has_more=page.has_more,
        first_id=page.rows[0].digest if page.rows else None,
        last_id=page.rows[-1].digest if page.rows else None,
    )


def _tell(session: Session, keeping: TextKeepingRow) -> KeepingRead:
    return KeepingRead(
        object="text_keeping",
        model_id=keeping.model_id,
        below=keeping.below,
        max_rows=keeping.max_rows,
        since=keeping.since,
        counts=dict(KeptTextRepository(session).count(keeping.model_id)),
    )
