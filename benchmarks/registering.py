"""Exported models put into a data folder, and found there, without a job that made them.

Over HTTP a model comes from a job, which takes minutes; a benchmark of serving wants one it has
made before, or hundreds.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

from core.artifacts import ArtifactStore
from core.db.base import db_now
from core.db.repositories.models import ModelRepository, NewModel
from core.db.session import Database
from core.db.tables import DatasetRow, JobRow
from core.ids import ModelId, TenantId, new_dataset_id, new_job_id
from core.lifecycle import JobState, Queue
from llkd.engine_choice import AUTO, choose_for
from llkd.engines.base import EngineName
from llkd.predictor_manifest import MANIFEST, read_manifest
from migrations import upgrade

TENANT = TenantId("default")
_NO_DIGEST = "0" * 64


class Shelf:
    """The models of one data folder; used while no API runs on it."""

    def __init__(self, database: Database, artifacts: ArtifactStore) -> None:
        self._database = database
        self._artifacts = artifacts

    def find(self, name: str) -> str | None:
        """Id of the newest model of this name."""
        with self._database.read() as session:
            found = ModelRepository(session).resolve(TENANT, name)
            return None if found is None else found.id

    def files(self, model_id: str) -> Mapping[str, Path]:
        """The files of a model by name.

        Raises:
            LookupError: there is none of this id.
        """
        with self._database.read() as session:
            found = ModelRepository(session).get(TENANT, ModelId(model_id))
            if found is None:
                raise LookupError(f"no model {model_id}")
            return self._artifacts.tree(found.artifact)

    def engine(self, model_id: str) -> EngineName:
        """What serves a model on this machine, unless it is pinned.

        Raises:
            LookupError: there is none of this id.
        """
        with self._database.read() as session:
            found = ModelRepository(session).get(TENANT, ModelId(model_id))
            if found is None:
                raise LookupError(f"no model {model_id}")
            return choose_for(found.export, pinned=AUTO).engine

    def add(self, folder: Path, *, name: str) -> str:
        """Store an exported model's folder and give it the next version of this name."""
        manifest = read_manifest(folder / MANIFEST)
        artifact = self._artifacts.put_tree(folder)
        with self._database.write() as session:
            job = _finished_job(name)
            session.add(_dataset(job))
            session.flush()
            session.add(job)
            session.flush()
            new = NewModel(
                name=name,
                job_id=job.id,
                artifact=artifact,
                labels=list(manifest.labels),
                base_model=manifest.base_model,
                metrics={},
                export={},
                size_bytes=sum(path.stat().st_size for path in folder.iterdir()),
            )
            return ModelRepository(session).register(TENANT, new).id


@contextmanager
def shelf(data_dir: Path) -> Iterator[Shelf]:
    """Open a data folder, made and migrated where it is new."""
    data_dir.mkdir(parents=True, exist_ok=True)
    url = make_url(f"sqlite:///{data_dir.resolve() / 'llkd.db'}")
    upgrade(url)
    database = Database(url)
    try:
        yield Shelf(database, ArtifactStore(data_dir / "artifacts"))
    finally:
        database.dispose()


def _finished_job(name: str) -> JobRow:
    return JobRow(
        id=new_job_id(),
        tenant_id=TENANT,
        name=name,
        spec={},
        dataset_id=new_dataset_id(),
        request_sha256=_NO_DIGEST,
        queue=Queue.ANY,
        max_wall_seconds=3600,
        state=JobState.SUCCEEDED,
        finished_at=db_now(),
    )


def _dataset(job: JobRow) -> DatasetRow:
    return DatasetRow(
        id=job.dataset_id,
        tenant_id=TENANT,
        name=job.name,
        request_sha256=_NO_DIGEST,
        source_sha256=_NO_DIGEST,
        rows_artifact=_NO_DIGEST,
        issues_artifact=_NO_DIGEST,
        statistics={},
        size_bytes=0,
    )
