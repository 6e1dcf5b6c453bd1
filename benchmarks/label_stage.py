"""One job's label stage in this process, with its database and files in a folder of its own."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from core.artifacts import ArtifactStore
from core.config import Settings
from core.dataset_files import ROW_GROUP, ROWS_SCHEMA
from core.db.repositories.engine import EngineRepository
from core.db.session import Database
from core.db.tables import DatasetRow, JobRow
from core.ids import TenantId, new_dataset_id, new_job_id
from core.lifecycle import Queue
from llkd.specs import DistillationSpec
from worker.book import JobBook
from worker.faults import FaultPoints
from worker.job import Job, load_rows
from worker.labelling_time import LabellingTime
from worker.progress import Progress
from worker.protocol import Assignment
from worker.stop_request import StopRequest

_TENANT = TenantId("default")
_NO_DIGEST = "0" * 64


class TimedDatabase(Database):
    """Adds up what its writing transactions take.

    Attributes:
        transactions: how many there were.
        wall_s: seconds from their beginning to the end of their commit.
        cpu_s: CPU seconds of this process meanwhile, in the threads that wrote.
    """

    def __init__(self, url: URL) -> None:
        super().__init__(url)
        self.transactions = 0
        self.wall_s = 0.0
        self.cpu_s = 0.0

    @contextmanager
    def write(self) -> Iterator[Session]:
        wall_s, cpu_s = time.perf_counter(), time.thread_time()
        try:
            with super().write() as session:
                yield session
        finally:
            self.transactions += 1
            self.wall_s += time.perf_counter() - wall_s
            self.cpu_s += time.thread_time() - cpu_s


def claimed_job(
    database: Database, folder: Path, texts: Sequence[str], spec: DistillationSpec, *, host: str
) -> Job:
    """A job about these texts, claimed as a worker does.

    Args:
        host: of the only teacher server that may be called, as the operator lists it.
    """
    artifacts = ArtifactStore(folder / "artifacts")
    _add_job(database, _rows_artifact(artifacts, texts), spec)
    with database.write() as session:
        claimed = EngineRepository(session).claim(
            queues=[Queue.ANY], worker="benchmark", lease=Settings(data_dir=folder).lease
        )
    assert claimed is not None, "the database holds one job, which is ready"
    assignment = Assignment(
        tenant_id=_TENANT,
        job_id=claimed.id,
        attempt=claimed.attempt,
        supervisor_pid=os.getpid(),
        database_url="",
        data_dir=str(folder),
        models_dir=None,
        allowed_models=(),
        threads=1,
        checkpoint_seconds=60.0,
        teacher_hosts=(host,),
    )
    rows = load_rows(database, assignment)
    return Job(
        row=rows.job,
        spec=spec,
        dataset=rows.dataset,
        evaluation_dataset=None,
        assignment=assignment,
        database=database,
        artifacts=artifacts,
        book=JobBook(database, assignment.claim),
        progress=Progress(lambda _: None, detail={}),
        stop=StopRequest(),
        tell=lambda _: None,
        faults=FaultPoints({}, attempt=claimed.attempt),
        labelling_time=LabellingTime.of(rows.job, now=rows.now),
    )


def _rows_artifact(artifacts: ArtifactStore, texts: Sequence[str]) -> str:
    empty = dict.fromkeys(ROWS_SCHEMA.names)
    rows = [
        {**empty, "text": text, "copies": 1, "line": line} for line, text in enumerate(texts, 1)
    ]
    path = artifacts.scratch_path()
    pq.write_table(pa.Table.from_pylist(rows, ROWS_SCHEMA), path, row_group_size=ROW_GROUP)
    return artifacts.put(path)


def _add_job(database: Database, rows_artifact: str, spec: DistillationSpec) -> None:
    dataset_id = new_dataset_id()
    with database.write() as session:
        session.add(
            DatasetRow(
                id=dataset_id,
                tenant_id=_TENANT,
                name="benchmark",
                request_sha256=_NO_DIGEST,
                source_sha256=_NO_DIGEST,
                rows_artifact=rows_artifact,
                issues_artifact=_NO_DIGEST,
                statistics={},
                size_bytes=0,
            )
        )
        session.flush()
        session.add(
            JobRow(
                id=new_job_id(),
                tenant_id=_TENANT,
                name="benchmark",
                spec=spec.model_dump(mode="json"),
                dataset_id=dataset_id,
                request_sha256=_NO_DIGEST,
                queue=Queue.ANY,
                max_wall_seconds=3600,
            )
        )
