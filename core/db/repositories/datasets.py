"""Datasets as their tenants see them: added, listed, deleted."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.db.base import db_now
from core.db.repositories.inserts import insert_keyed
from core.db.repositories.pages import Page, read_page
from core.db.tables import DatasetRow
from core.ids import DatasetId, TenantId


class DatasetRepository:
    """Each method runs in the caller's transaction."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def add(self, dataset: DatasetRow) -> DatasetRow:
        """Insert a dataset.

        Raises:
            IdempotencyKeyTaken: this tenant already has a dataset with this key; the
                transaction goes on, and `by_idempotency_key` finds that dataset.
        """
        insert_keyed(self.session, dataset, known=self.by_idempotency_key)
        return dataset

    def get(self, tenant_id: TenantId, dataset_id: DatasetId) -> DatasetRow | None:
        """The dataset, deleted ones too: the caller tells 410 from 404 by `deleted_at`."""
        return self.session.scalar(
            select(DatasetRow).where(DatasetRow.id == dataset_id, DatasetRow.tenant_id == tenant_id)
        )

    def hold(self, tenant_id: TenantId, dataset_id: DatasetId) -> DatasetRow | None:
        """`get`, and keep others from holding or deleting it until this transaction ends.

        Whoever adds a job holds its datasets first, and so does whoever deletes one
        before asking which jobs use it: either the job is seen, or the deletion is.
        """
        return self.session.scalar(
            select(DatasetRow)
            .where(DatasetRow.id == dataset_id, DatasetRow.tenant_id == tenant_id)
            # FOR NO KEY UPDATE: the foreign keys of jobs need not wait for it.
            .with_for_update(key_share=True),
            execution_options={"populate_existing": True},
        )

    def by_idempotency_key(self, tenant_id: TenantId, key: str) -> DatasetRow | None:
        return self.session.scalar(
            select(DatasetRow).where(
                DatasetRow.tenant_id == tenant_id, DatasetRow.idempotency_key == key
            )
        )

    def page(
        self, tenant_id: TenantId, *, limit: int, after: DatasetId | None = None
    ) -> Page[DatasetRow]:
        """Datasets of a tenant that are not deleted, newest first."""
        question = select(DatasetRow).where(
            DatasetRow.tenant_id == tenant_id, DatasetRow.deleted_at.is_(None)
        )
        if after is not None:
            question = question.where(DatasetRow.id < after)
        return read_page(self.session, question.order_by(DatasetRow.id.desc()), limit=limit)

    def tombstone(self, tenant_id: TenantId, dataset_id: DatasetId) -> bool:
        """Mark it deleted; False when there is none, or it was deleted before."""
        deleted = self.session.scalar(
            update(DatasetRow)
            .where(
                DatasetRow.id == dataset_id,
                DatasetRow.tenant_id == tenant_id,
                DatasetRow.deleted_at.is_(None),
            )
            .values(deleted_at=db_now())
            .returning(DatasetRow.id),
            execution_options={"synchronize_session": False},
        )
        return deleted is not None
