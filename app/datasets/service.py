"""What can be done with datasets: made, found, listed, read, deleted."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.datasets.errors import IdempotencyInProgress, QuotaExceeded, ResourceInUse
from app.datasets.ingest import run_ingest
from app.datasets.ingest_child import ISSUES, ROWS
from app.datasets.kept_texts import with_kept_texts
from app.datasets.receiving import Upload
from app.idempotency import IdempotencyMismatch
from core.artifacts import ArtifactStore
from core.dataset_files import read_page
from core.db.repositories.datasets import DatasetRepository
from core.db.repositories.inserts import IdempotencyKeyTaken
from core.db.repositories.jobs import JobRepository
from core.db.repositories.storage import stored_bytes
from core.db.session import Database
from core.db.tables import DatasetRow
from core.errors import Gone, NotFound
from core.ids import DatasetId, TenantId, is_id, new_dataset_id

Json = dict[str, Any]

# Keys whose first request this process is serving. Another process's twin is found when
# its row is: then the first one to finish wins, and both answer with its dataset.
_in_flight: set[tuple[TenantId, str]] = set()


@contextmanager
def one_at_a_time(tenant: TenantId, key: str | None) -> Iterator[None]:
    """Hold the key while its request is served.

    Raises:
        IdempotencyInProgress: another request holds it.
    """
    if key is None:
        yield
        return
    if (tenant, key) in _in_flight:
        raise IdempotencyInProgress("The first request with this Idempotency-Key is not done yet.")
    _in_flight.add((tenant, key))
    try:
        yield
    finally:
        _in_flight.discard((tenant, key))


def make_dataset(
    database: Database,
    artifacts: ArtifactStore,
    *,
    tenant: TenantId,
    upload: Upload,
    folder: Path,
    key: str | None,
    quota: int | None,
) -> tuple[DatasetRow, bool]:
    """Read an upload and keep what it holds; returns the row, and whether it was there before.

    Raises:
        ServiceError: the file cannot be taken.
        IdempotencyMismatch: the key came before with another body.
        Gone: it came before with this one, and the dataset was deleted since.
        ValidationFailed, NothingKept: the model that it names has no texts to give.
    """
    with database.read() as session:
        earlier = _replayed(session, tenant, key, upload)
        if earlier is not None:
            return earlier, True
        upload = with_kept_texts(session, tenant, upload)
        # Uploads that are under way at the same time may together go beyond it.
        _check_quota(session, tenant, more=upload.size_bytes, quota=quota)
    second = None if upload.answers is None else upload.answers.source
    statistics = run_ingest(upload.file.path, folder, upload.options, second)
    row = DatasetRow(
        id=new_dataset_id(),
        tenant_id=tenant,
        name=upload.name,
        request_sha256=upload.request_sha256,
        source_sha256=upload.file.sha256,
        rows_artifact=artifacts.put(folder / ROWS),
        issues_artifact=artifacts.put(folder / ISSUES),
        statistics=_with_digest(statistics, upload),
        size_bytes=upload.size_bytes,
        idempotency_key=key,
    )
    with database.write() as session:
        try:
            DatasetRepository(session).add(row)
        except IdempotencyKeyTaken:
            earlier = _replayed(session, tenant, key, upload)
            assert earlier is not None, "the key is taken by a row that can be read"
            return earlier, True
        session.refresh(row)
    return row, False


def _with_digest(statistics: Json, upload: Upload) -> Json:
    """What was counted; of a second file also which one it was."""
    if upload.answers is None:
        return statistics
    file = upload.answers.file
    return statistics | {"answers": {"source_sha256": file.sha256, **statistics["answers"]}}


def _check_quota(session: Session, tenant: TenantId, *, more: int, quota: int | None) -> None:
    if quota is not None and (kept := stored_bytes(session, tenant)) + more > quota:
        raise QuotaExceeded(
            f"{kept} of {quota} bytes are in use, and the upload has {more}: delete datasets or "
            "models that are not needed."
        )


def find_dataset(session: Session, tenant: TenantId, dataset_id: str) -> DatasetRow:
    """The row.

    Raises:
        NotFound: no id at all, unknown, or another tenant's: none can be told apart.
        Gone: it was deleted.
    """
    row = None
    if is_id(dataset_id, prefix="ds"):
        row = DatasetRepository(session).get(tenant, DatasetId(dataset_id))
    return _present(row, dataset_id)


def list_datasets(session: Session, tenant: TenantId, *, limit: int, after: str | None) -> Json:
    """A page of datasets, newest first."""
    page = DatasetRepository(session).page(
        tenant, limit=limit, after=None if after is None else DatasetId(after)
    )
    return {
        "object": "list",
        "data": page.rows,
        "has_more": page.has_more,
        "first_id": page.rows[0].id if page.rows else None,
        "last_id": page.rows[-1].id if page.rows else None,
    }


def read_entries(path: Path, *, start: int, limit: int) -> Json:
    """A page of a dataset's file, from this index on."""
    found = read_page(path, offset=start, limit=limit + 1)
    shown = found[:limit]
    return {
        "object": "list",
        "data": shown,
        "has_more": len(found) > limit,
        "first_id": str(shown[0]["index"]) if shown else None,
        "last_id": str(shown[-1]["index"]) if shown else None,
    }


def delete_dataset(session: Session, tenant: TenantId, dataset_id: str) -> None:
    """Delete a dataset that no unfinished job reads.

    Raises:
        NotFound, Gone: as `find_dataset`.
        ResourceInUse: a queued or running job reads it.
    """
    row = None
    datasets = DatasetRepository(session)
    if is_id(dataset_id, prefix="ds"):
        # Held before asking for jobs: one that is being added either is seen, or sees this.
        row = datasets.hold(tenant, DatasetId(dataset_id))
    found = _present(row, dataset_id)
    users = JobRepository(session).uses_dataset(found.id)
    if users:
        named = ", ".join(users[:5]) + (", …" if len(users) > 5 else "")
        raise ResourceInUse(f"{len(users)} unfinished jobs read {found.id}: {named}.")
    datasets.tombstone(tenant, found.id)


def _present(row: DatasetRow | None, dataset_id: str) -> DatasetRow:
    if row is None:
        raise NotFound("dataset", dataset_id)
    if row.deleted_at is not None:
        raise Gone("dataset", dataset_id)
    return row


def _replayed(
    session: Session, tenant: TenantId, key: str | None, upload: Upload
) -> DatasetRow | None:
    """The dataset that an earlier request with this key made."""
    if key is None:
        return None
    row = DatasetRepository(session).by_idempotency_key(tenant, key)
    if row is None:
        return None
    if row.request_sha256 != upload.request_sha256:
        raise IdempotencyMismatch
    return _present(row, row.id)
