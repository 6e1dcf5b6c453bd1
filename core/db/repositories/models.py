"""Registered models: versions of a name, and the aliases that point at them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
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


class ModelRepository:
    """Each method runs in the caller's transaction."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def register(self, tenant_id: TenantId, model: NewModel) -> ModelRow:
        """Give the model the next version of its name and move `latest` to it.

        One job registers one model: a repeated call returns the first one's row. A worker
        fences its job first, in the same transaction.
        """
        while (known := self.by_job(tenant_id, model.job_id)) is None:
            # No row back means that someone else took this version or registered this
            # job first; each turn that is lost is another one's success, so this ends.
            if self._insert(tenant_id, model) is not None:
                self.point(tenant_id, model.name, alias=LATEST, job_id=model.job_id)
        return known

    def by_job(self, tenant_id: TenantId, job_id: JobId) -> ModelRow | None:
        """The model that this job registered."""
        return self.session.scalar(
            select(ModelRow).where(ModelRow.job_id == job_id, ModelRow.tenant_id == tenant_id)
        )

    def get(self, tenant_id: TenantId, model_id: ModelId) -> ModelRow | None:
        """The model, deleted ones too: the caller tells 410 from 404 by `deleted_at`."""
        return self.session.scalar(
            select(ModelRow).where(ModelRow.id == model_id, ModelRow.tenant_id == tenant_id)
        )

    def resolve(self, tenant_id: TenantId, reference: str) -> ModelRow | None:
        """What a caller names: an id, `name@alias`, or `name` for `name@latest`."""
