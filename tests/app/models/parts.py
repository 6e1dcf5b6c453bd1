"""What the tests of models share: models as jobs register them."""

from core.db.repositories.models import ModelRepository, NewModel
from core.db.session import Database
from core.ids import ModelId, TenantId
from tests.factories import TENANT, make_job


def register(
    database: Database,
    *,
    name: str = "tickets",
    tenant: TenantId = TENANT,
    artifact: str = "6" * 64,
    **export: object,
) -> ModelId:
    """The next version of this name; its files need not exist."""
    with database.write() as session:
        job = make_job(session, tenant_id=tenant, name=name)
        new = NewModel(
            name=name,
            job_id=job.id,
            artifact=artifact,
            labels=["billing", "tech"],
            base_model="minilm",
            metrics={"macro_f1": 0.87},
            export={"parity": {"max_difference": 2e-6}} | export,
            size_bytes=91_000_000,
        )
        return ModelRepository(session).register(tenant, new).id
