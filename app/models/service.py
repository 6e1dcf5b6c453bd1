"""Models found by what a caller calls them, and deleted by their id."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.etags import Preconditions
from app.models.errors import ResourceInUse
from app.models.references import NAME, REFERENCE
from app.models.schemas import ModelRead
from app.models.serving import tell_serving
from app.pages import page_of
from core.db.repositories.jobs import JobRepository
from core.db.repositories.kept_texts import KeptTextRepository
from core.db.repositories.model_aliases import ModelAliasRepository
from core.db.repositories.models import LATEST, ModelRepository
from core.db.tables import ModelRow
from core.errors import ErrorItem, Gone, NotFound, ValidationFailed
from core.ids import JobId, ModelId, TenantId, is_id

SHOWN_READERS = 3


def find_model(session: Session, tenant: TenantId, reference: str) -> ModelRow:
    """The row of an id, a name or `name@alias`.

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
    return row


def read_model(session: Session, tenant: TenantId, reference: str, *, pinned: str) -> ModelRead:
    """The model of an id, a name or `name@alias`.

    Args:
        pinned: the operator's setting of the engine.

    Raises:
        NotFound, Gone: as `find_model`.
    """
    row = find_model(session, tenant, reference)
    aliases = ModelRepository(session).aliases(tenant, [row.id])
    return tell_model(row, aliases[row.id], pinned=pinned)


def list_models(
    session: Session,
    tenant: TenantId,
    *,
    limit: int,
    after: str | None,
    name: str | None,
    pinned: str,
) -> dict[str, object]:
    """A page of models, newest first; with a name, of its versions."""
    models = ModelRepository(session)
    if name is not None and NAME.fullmatch(name) is None:
        return page_of([], has_more=False)
    cursor = None if after is None else ModelId(after)
    page = models.page(tenant, limit=limit, after=cursor, name=name)
    aliases = models.aliases(tenant, [row.id for row in page.rows])
    told = [tell_model(row, aliases[row.id], pinned=pinned) for row in page.rows]
    return page_of(told, has_more=page.has_more)


def delete_model(
    session: Session, tenant: TenantId, reference: str, *, preconditions: Preconditions, pinned: str
) -> None:
    """Delete a model that nothing needs, and its kept texts; its name's `latest` falls back to
    the version before.

    Raises:
        NotFound, Gone: as `find_model`.
        ValidationFailed: it is named by something that may mean another model a moment later.
        PreconditionFailed: it is not as the client believes.
        ResourceInUse: it is needed.
    """
    row = find_model(session, tenant, reference)
    if not is_id(reference, prefix="model"):
        message = f"A model is deleted by its id: {reference!r} is {row.id} now, and may move."
        raise ValidationFailed(message, errors=[ErrorItem("path:name", "id-required", message)])
    aliases = ModelAliasRepository(session)
    # Held before asking who needs it: an alias that is being moved to it, or a job that is to
    # start from it, either is seen, or sees the deletion. What was found before may be deleted
    # by now.
    aliases.hold(tenant, row.name)
    ModelRepository(session).hold(tenant, row.id)
    found = read_model(session, tenant, row.id, pinned=pinned)
    preconditions.check(found.model_dump_json().encode())
    jobs = JobRepository(session)
    _refuse_if_needed(found, readers=jobs.reads_model(row.id), children=jobs.uses_model(row.id))
    KeptTextRepository(session).switch_off(tenant, row.id)
    aliases.delete_model(row)


def tell_model(row: ModelRow, aliases: Sequence[str], *, pinned: str) -> ModelRead:
    """One model; `pinned` is the operator's setting of the engine."""
    return ModelRead(
        id=row.id,
        object="model",
        name=row.name,
        version=row.version,
        aliases=list(aliases),
        labels=row.labels,
        base_model=row.base_model,
        parent_model_id=row.parent_model_id,
        metrics=row.metrics,
        export={key: value for key, value in row.export.items() if key != "engines"},
        serving=tell_serving(row.export, pinned=pinned),
        size_bytes=row.size_bytes,
        job_id=row.job_id,
        created_at=row.created_at,
    )


def _refuse_if_needed(
    model: ModelRead, *, readers: Sequence[JobId], children: Sequence[JobId]
) -> None:
    """Raise ResourceInUse while somebody counts on this very model.

    That is an alias which a person made, an unfinished job that predicts a dataset with it, or
    one whose student starts from it. Other jobs read no model; `from_job` takes over labels,
    and those go with the dataset.
    """
    needed = [f"{model.name}@{alias}" for alias in model.aliases if alias != LATEST]
    if needed:
        raise ResourceInUse(f"{', '.join(needed)} points at {model.id}: move it first.")
    if readers:
        raise ResourceInUse(
            f"{', '.join(readers[:SHOWN_READERS])} predicts with {model.id}: cancel it, or wait "
            "for its end."
        )
    if children:
        raise ResourceInUse(
            f"{', '.join(children[:SHOWN_READERS])} starts from {model.id}: cancel it, or wait "
            "for its end."
        )
