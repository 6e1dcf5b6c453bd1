"""Prediction jobs: a model answers a dataset. Made, found, listed, cancelled."""

import hashlib

import orjson
from sqlalchemy.orm import Session

from app.jobs import service
from app.jobs.checks import find_dataset, hold_dataset
from app.jobs.desk import Desk
from app.jobs.prediction_schemas import PredictionJobCreate, PredictionJobRead
from app.jobs.prediction_view import tell_prediction_job
from app.jobs.rows import queue_row
from app.pages import page_of
from core.dataset_files import count_rows
from core.db.repositories.inserts import IdempotencyKeyTaken
from core.db.repositories.jobs import JobRepository
from core.db.repositories.model_aliases import ModelAliasRepository
from core.db.repositories.models import ModelRepository
from core.db.repositories.stages import StageRepository
from core.db.tables import JobRow, ModelRow
from core.errors import ErrorItem, Gone, NotFound, ValidationFailed
from core.ids import DatasetId, JobId, ModelId, TenantId, new_job_id
from core.lifecycle import JobState, Purpose, Queue
from llkd.specs import AnswerSpec, PredictionSpec

# Their numbers alone are 0.8 GB: who wants more of them can ask for fewer labels a text.
MAX_SCORES = 100_000_000


def create_prediction_job(
    desk: Desk,
    *,
    tenant: TenantId,
    body: PredictionJobCreate,
    idempotency_key: str | None,
) -> tuple[PredictionJobRead, bool]:
    """Queue it; returns it, and whether it is that of an earlier request with this key.

    Raises:
        ValidationFailed: there is no such dataset or model, or there would be too many scores.
        Gone: the dataset or the model was deleted.
        IdempotencyMismatch: the key came before with another request.
        TooManyJobs: this tenant has as many unfinished ones as are allowed.
    """
    digest = _digest(body)
    with desk.database.read() as session:
        earlier = service.replayed_job(session, tenant, idempotency_key, digest)
        if earlier is not None:
            return _read(session, earlier), True
        dataset = find_dataset(session, tenant, body.dataset_id, pointer="/dataset_id")
        model = _find_model(session, tenant, body.model)
    rows = count_rows(desk.artifacts.path(dataset.rows_artifact))
    _refuse_too_many(rows, scores=min(body.top_k or len(model.labels), len(model.labels)))
    row = _new_row(body, tenant, idempotency_key, digest, model_id=model.id, rows=rows)
    with desk.database.write() as session:
        hold_dataset(session, tenant, body.dataset_id)
        _hold_model(session, model)
        # Asked again: the twin of this request may have come first since.
        earlier = service.replayed_job(session, tenant, idempotency_key, digest)
        if earlier is not None:
            return _read(session, earlier), True
        try:
            queue_row(session, row, settings=desk.settings, bell=desk.bell)
        except IdempotencyKeyTaken:
            earlier = service.replayed_job(session, tenant, idempotency_key, digest)
            assert earlier is not None, "the key is taken by a row that can be read"
            return _read(session, earlier), True
        return _read(session, row), False


def find_prediction_job(session: Session, tenant: TenantId, job_id: str) -> JobRow:
    """The row.

    Raises:
        NotFound: unknown, another tenant's, or a job that predicts nothing.
    """
    row = service.find_job(session, tenant, job_id)
    if row.purpose != Purpose.PREDICT:
        raise NotFound("prediction job", job_id)
    return row


def read_prediction_job(session: Session, tenant: TenantId, job_id: str) -> PredictionJobRead:
    """One of them, as it is now."""
    return _read(session, find_prediction_job(session, tenant, job_id))


def list_prediction_jobs(
    session: Session, tenant: TenantId, *, limit: int, after: str | None, state: JobState | None
) -> dict[str, object]:
    """A page of them, newest first."""
    page = JobRepository(session).page(
        tenant,
        limit=limit,
        after=None if after is None else JobId(after),
        state=state,
        purpose=Purpose.PREDICT,
    )
    done = StageRepository(session).of_jobs([row.id for row in page.rows])
    told = [tell_prediction_job(row, done[row.id]) for row in page.rows]
    return page_of(told, has_more=page.has_more)


def cancel_prediction_job(session: Session, tenant: TenantId, job_id: str) -> PredictionJobRead:
    """Cancel a queued one at once; ask a running one to stop. Asking twice changes nothing.

    Raises:
        JobNotCancellable: it has succeeded or failed.
    """
    find_prediction_job(session, tenant, job_id)
    service.cancel_job(session, tenant, job_id)
    return read_prediction_job(session, tenant, job_id)


def _read(session: Session, row: JobRow) -> PredictionJobRead:
    return tell_prediction_job(row, StageRepository(session).get(row.id))


def _new_row(
    body: PredictionJobCreate,
    tenant: TenantId,
    idempotency_key: str | None,
    digest: str,
    *,
    model_id: ModelId,
    rows: int,
) -> JobRow:
    answers = {name: getattr(body, name) for name in AnswerSpec.model_fields}
    spec = PredictionSpec(**answers, reference=body.model, model_id=model_id, rows=rows)
    return JobRow(
        id=new_job_id(),
        tenant_id=tenant,
        name=body.name,
        labels_metadata=body.metadata,
        purpose=Purpose.PREDICT.value,
        spec=spec.model_dump(mode="json"),
        dataset_id=DatasetId(body.dataset_id),
        idempotency_key=idempotency_key,
        request_sha256=digest,
        # A served model runs on the processor, which every slot has.
        queue=Queue.ANY.value,
        priority=body.priority,
        max_wall_seconds=body.max_wall_seconds,
    )


def _find_model(session: Session, tenant: TenantId, reference: str) -> ModelRow:
    row = ModelRepository(session).resolve(tenant, reference)
    if row is None:
        message = f"There is no model {reference}."
        raise ValidationFailed(message, errors=[ErrorItem("/model", "not-found", message)])
    if row.deleted_at is not None:
        raise Gone("model", reference, pointer="/model")
    return row


def _hold_model(session: Session, found: ModelRow) -> None:
    """Keep the model from being deleted until this transaction ends.

    Raises:
        Gone: it was deleted since it was found.
    """
    ModelAliasRepository(session).hold(found.tenant_id, found.name)
    row = ModelRepository(session).get(found.tenant_id, found.id)
    if row is None or row.deleted_at is not None:
        raise Gone("model", found.id, pointer="/model")


def _refuse_too_many(rows: int, *, scores: int) -> None:
    if rows * scores > MAX_SCORES:
        message = f"{rows} texts with {scores} scores each are more than {MAX_SCORES}."
        raise ValidationFailed(message, errors=[ErrorItem("/top_k", "too-many-scores", message)])


def _digest(body: PredictionJobCreate) -> str:
    meaning = {"predict": body.model_dump(mode="json")}
    return hashlib.sha256(orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS)).hexdigest()
