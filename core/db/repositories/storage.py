"""What a tenant keeps."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.db.tables import DatasetRow, ModelRow
from core.ids import TenantId


def stored_bytes(session: Session, tenant_id: TenantId) -> int:
    """Bytes of the tenant's datasets, as they were uploaded, and models; not of deleted ones."""
    total = 0
    for table in (DatasetRow, ModelRow):
        total += session.scalars(
            select(func.coalesce(func.sum(table.size_bytes), 0)).where(
                table.tenant_id == tenant_id, table.deleted_at.is_(None)
            )
        ).one()
    return int(total)
