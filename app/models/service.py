"""Models found by what a caller calls them."""

import re
from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.models.schemas import ModelRead
from app.pages import page_of
from core.db.repositories.models import ModelRepository
from core.db.tables import ModelRow
from core.errors import Gone, NotFound
from core.ids import ModelId, TenantId

_WORD = "[a-z0-9][a-z0-9._-]{0,63}"
REFERENCE = re.compile(rf"{_WORD}(@{_WORD})?|model_[0-9A-HJKMNP-TV-Z]{{26}}")


def read_model(session: Session, tenant: TenantId, reference: str) -> ModelRead:
    """The model of an id, a name or `name@alias`.

    Raises:
        NotFound: unknown, another tenant's, or nothing that could name a model.
        Gone: it was deleted.
    """
    row = None
    if REFERENCE.fullmatch(reference):
        row = ModelRepository(session).resolve(tenant, reference)
    if row is None:
        raise NotFound("model", reference)
    if row.deleted_at is not None:
        raise Gone("model", reference)
    aliases = ModelRepository(session).aliases(tenant, [row.id])
    return tell_model(row, aliases[row.id])


def list_models(
    session: Session, tenant: TenantId, *, limit: int, after: str | None
) -> dict[str, object]:
    """A page of models, newest first."""
    models = ModelRepository(session)
    page = models.page(tenant, limit=limit, after=None if after is None else ModelId(after))
    aliases = models.aliases(tenant, [row.id for row in page.rows])
    told = [tell_model(row, aliases[row.id]) for row in page.rows]
    return page_of(told, has_more=page.has_more)


def tell_model(row: ModelRow, aliases: Sequence[str]) -> ModelRead:
    return ModelRead(
        id=row.id,
        object="model",
        name=row.name,
        version=row.version,
        aliases=list(aliases),
        labels=row.labels,
        base_model=row.base_model,
        metrics=row.metrics,
        export=row.export,
        size_bytes=row.size_bytes,
        job_id=row.job_id,
        created_at=row.created_at,
    )
