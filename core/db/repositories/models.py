"""Registered models: versions of a name, and the aliases that point at them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.db.base import db_now
from core.db.repositories.inserts import insert_for
from core.db.repositories.pages import Page, read_page
from core.db.tables import ModelAliasRow, ModelRow
from core.ids import JobId, ModelId, TenantId, is_id, new_model_id

LATEST = "latest"


@dataclass(frozen=True)
class NewModel:
    """What a job exported; the registry adds the id and the version."""

    name: str
    job_id: JobId
    artifact: str
    labels: list[str]
    base_model: str
    metrics: dict[str, Any]
    export: dict[str, Any]
    size_bytes: int
    parent_model_id: ModelId | None = None


class ModelRepository:
    """Each method runs in the caller's transaction."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def register(self, tenant_id: TenantId, model: NewModel) -> ModelRow:
        """Give the model the next version of its name and move `latest` to it.

        One job registers one model: a repeated call returns the first one's row. A worker
        fences its job first, in the same transaction.

        """
        # An insert that brings no row back lost a race for the version, or the job has
        # its model already. Each lost race is another writer's success, so this ends.
        while (known := self.by_job(model.job_id)) is None:
            model_id = self._insert(tenant_id, model)
            if model_id is not None:
                self.point(tenant_id, model.name, alias=LATEST, model_id=model_id)
        return known

    def by_job(self, job_id: JobId) -> ModelRow | None:
        """The model that this job registered; ask for the job itself beforehand."""
        return self.session.scalar(select(ModelRow).where(ModelRow.job_id == job_id))

    def get(self, tenant_id: TenantId, model_id: ModelId) -> ModelRow | None:
        """The model, deleted ones too: the caller tells 410 from 404 by `deleted_at`."""
        return self.session.scalar(
            select(ModelRow).where(ModelRow.id == model_id, ModelRow.tenant_id == tenant_id)
        )

    def hold(self, tenant_id: TenantId, model_id: ModelId) -> ModelRow | None:
        """`get`, and keep others from holding or deleting it until this transaction ends.

        Whoever adds what hangs on a model holds it first, and so does whoever deletes one
        before asking what hangs on it: either that is seen, or the deletion is.
        """
        return self.session.scalar(
            select(ModelRow)
            .where(ModelRow.id == model_id, ModelRow.tenant_id == tenant_id)
            # FOR NO KEY UPDATE: foreign keys to it need not wait.
            .with_for_update(key_share=True),
            execution_options={"populate_existing": True},
        )

    def resolve(self, tenant_id: TenantId, reference: str) -> ModelRow | None:
        """What a caller names: an id, `name@alias`, or `name` for `name@latest`.

        Deleted models are found too: the caller tells 410 from 404 by `deleted_at`.
        """
        if is_id(reference, prefix="model"):
            return self.get(tenant_id, ModelId(reference))
        name, _, alias = reference.partition("@")
        return self.session.scalar(
            select(ModelRow)
            .join(ModelAliasRow, ModelAliasRow.model_id == ModelRow.id)
            .where(
                ModelAliasRow.tenant_id == tenant_id,
                ModelAliasRow.name == name,
                ModelAliasRow.alias == (alias or LATEST),
            )
        )

    def page(
        self,
        tenant_id: TenantId,
        *,
        limit: int,
        after: ModelId | None = None,
        name: str | None = None,
    ) -> Page[ModelRow]:
        """Models of a tenant that are not deleted, newest first; of one name, if it is given."""
        question = select(ModelRow).where(
            ModelRow.tenant_id == tenant_id, ModelRow.deleted_at.is_(None)
        )
        if name is not None:
            question = question.where(ModelRow.name == name)
        if after is not None:
            question = question.where(ModelRow.id < after)
        return read_page(self.session, question.order_by(ModelRow.id.desc()), limit=limit)

    def living(self, *, after: ModelId | None, limit: int) -> list[ModelRow]:
        """Models of all tenants that are not deleted, oldest first: for an operator."""
        question = select(ModelRow).where(ModelRow.deleted_at.is_(None))
        if after is not None:
            question = question.where(ModelRow.id > after)
        return list(self.session.scalars(question.order_by(ModelRow.id).limit(limit)))

    def any_tenants(self, model_id: ModelId) -> ModelRow | None:
        """A model that is not deleted, whoever's it is: for an operator."""
        return self.session.scalar(
            select(ModelRow).where(ModelRow.id == model_id, ModelRow.deleted_at.is_(None))
        )

    def set_engines(
        self, model_id: ModelId, change: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> bool:
        """Change what the model says of engines; others that do so at the same time wait.

        Args:
            change: from what is there, at once, to what shall be.

        Returns:
            False where the model was deleted meanwhile.
        """
        row = self.session.scalar(
            select(ModelRow)
            .where(ModelRow.id == model_id, ModelRow.deleted_at.is_(None))
            .with_for_update(key_share=True),
            execution_options={"populate_existing": True},
        )
        if row is None:
            return False
        engines = change(row.export.get("engines") or {})
        self.session.execute(
            update(ModelRow)
            .where(ModelRow.id == model_id)
            .values(export={**row.export, "engines": engines})
        )
        return True

    def aliases(
        self, tenant_id: TenantId, model_ids: Sequence[ModelId]
    ) -> Mapping[ModelId, list[str]]:
        """The aliases that point at each of these models now, in alphabetical order."""
        found: dict[ModelId, list[str]] = {model_id: [] for model_id in model_ids}
        rows = self.session.scalars(
            select(ModelAliasRow)
            .where(ModelAliasRow.tenant_id == tenant_id, ModelAliasRow.model_id.in_(model_ids))
            .order_by(ModelAliasRow.alias)
        )
        for row in rows:
            found[row.model_id].append(row.alias)
        return found

    def point(self, tenant_id: TenantId, name: str, *, alias: str, model_id: ModelId) -> None:
        """Make an alias, or move it."""
        insert = insert_for(self.session, ModelAliasRow).values(
            tenant_id=tenant_id, name=name, alias=alias, model_id=model_id
        )
        self.session.execute(
            insert.on_conflict_do_update(
                index_elements=["tenant_id", "name", "alias"],
                set_={"model_id": model_id, "moved_at": db_now()},
            )
        )

    def _insert(self, tenant_id: TenantId, model: NewModel) -> ModelId | None:
        last = self.session.scalar(
            select(func.max(ModelRow.version)).where(
                ModelRow.tenant_id == tenant_id, ModelRow.name == model.name
            )
        )
        return self.session.scalar(
            insert_for(self.session, ModelRow)
            .values(
                id=new_model_id(),
                tenant_id=tenant_id,
                version=(last or 0) + 1,
                **vars(model),
            )
            .on_conflict_do_nothing()
            .returning(ModelRow.id)
        )
