"""What the database says that a model's name means."""

from app.predict.errors import ModelNotReady
from app.predict.names import ModelRef
from core.db.repositories.jobs import JobRepository
from core.db.repositories.kept_texts import Keeping, KeptTextRepository
from core.db.repositories.models import LATEST, ModelRepository
from core.db.session import Database
from core.errors import Gone, NotFound
from core.ids import JobId, TenantId, is_id
from llkd.engine_choice import choose_for


def look_up(database: Database, pinned: str, tenant: TenantId, name: str) -> ModelRef:
    """Ask the database what a name means.

    Args:
        pinned: the engine that the operator wants for every model, or `auto`.

    Raises:
        NotFound, Gone: there is no such model, or no more.
        ModelNotReady: the name is that of a job which has not ended yet.
    """
    with database.read() as session:
        if is_id(name, prefix="job"):
            job = JobRepository(session).get(tenant, JobId(name))
            if job is not None and not job.state.is_terminal:
                raise ModelNotReady(name)
            row = ModelRepository(session).by_job(JobId(name)) if job is not None else None
        else:
            row = ModelRepository(session).resolve(tenant, name)
        made_as = name.removesuffix(f"@{LATEST}")
        if row is None and JobRepository(session).is_making(tenant, made_as):
            raise ModelNotReady(name)
        if row is None:
            raise NotFound("model", name)
        if row.deleted_at is not None:
            raise Gone("model", name)
        keeping = KeptTextRepository(session).keeping(tenant, row.id)
        return ModelRef(
            row.id,
            row.artifact,
            keeping=None if keeping is None else Keeping.of(keeping),
            engine=choose_for(row.export, pinned=pinned),
        )
