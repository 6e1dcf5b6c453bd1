"""A model's kept texts as the file of an upload."""

import json
from dataclasses import replace
from pathlib import Path

from sqlalchemy.orm import Session

from app.datasets.errors import NothingKept
from app.datasets.receiving import Upload
from app.datasets.upload import refuse_full_disk
from core.db.repositories.kept_texts import KeptTextRepository
from core.db.repositories.models import ModelRepository
from core.errors import ErrorItem, Gone, ValidationFailed
from core.ids import ModelId, TenantId

POINTER = "/kept_texts_of"


def with_kept_texts(session: Session, tenant: TenantId, upload: Upload) -> Upload:
    """The same upload, its file written if it is one of kept texts.

    Raises:
        ValidationFailed: the tenant has no such model.
        Gone: it was deleted, and its kept texts with it.
        NothingKept: none of its texts are.
    """
    if upload.kept_texts_of is None:
        return upload
    model_id = _find(session, tenant, upload.kept_texts_of)
    path = upload.file.path
    refuse_full_disk(path.parent, coming=0)
    if not _write(session, model_id, path):
        raise NothingKept(model_id)
    return replace(upload, file=replace(upload.file, size_bytes=path.stat().st_size))


def _find(session: Session, tenant: TenantId, reference: str) -> ModelId:
    row = ModelRepository(session).resolve(tenant, reference)
    if row is None:
        message = f"There is no model {reference}."
        raise ValidationFailed(message, errors=[ErrorItem(POINTER, "not-found", message)])
    if row.deleted_at is not None:
        raise Gone("model", reference, pointer=POINTER)
    return row.id


def _write(session: Session, model_id: ModelId, path: Path) -> int:
    """Write JSON lines; returns how many."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for count, text in enumerate(KeptTextRepository(session).texts(model_id), 1):  # noqa: B007
            file.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
    return count
