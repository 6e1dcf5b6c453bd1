"""A prediction job's only stage: a served model answers a dataset, a part at a time."""

from collections.abc import Mapping

import structlog

from core.artifacts import ArtifactDamaged
from core.dataset_files import iter_texts
from core.db.repositories.models import ModelRepository
from core.ids import ModelId
from core.lifecycle import EventType, Stage
from llkd.engine_choice import choose_for
from llkd.engines.catalog import why_absent
from llkd.errors import LlkdError
from llkd.predictor import Predictor
from llkd.specs import PredictionSpec
from worker.crew import Crew
from worker.durability import durably
from worker.job import OpenJob
from worker.prediction_parts import PART_ROWS, PredictionParts, begun_with
from worker.prediction_table import tabulate
from worker.protocol import Json
from worker.stop_request import Released

log = structlog.get_logger(__name__)


class ModelGone(LlkdError):
    """The model that the job reads was deleted."""

    code = "model-gone"


class ModelUnavailable(LlkdError):
    """The model's files cannot be loaded, or are not the ones that were exported."""

    code = "model-unavailable"


def predict(job: OpenJob, _: Mapping[Stage, Json]) -> Json:
    """Answer every text, in the order of the dataset, and store the answers.

    Raises:
        ModelGone, ModelUnavailable: there is nothing to answer with.
        Released: the process was asked to stop; the finished parts are published.
    """
    spec = PredictionSpec.model_validate(job.row.spec)
    predictor = load_predictor(job, ModelId(spec.model_id))
    with job.stop.deferred(), Crew(predictor, threads=job.assignment.threads) as crew:
        parts = PredictionParts(job, labels=predictor.labels, engine=predictor.engine)
        job.progress.expect(spec.rows)
        job.progress.resume_at(parts.rows)
        try:
            _answer(job, spec, crew, parts, labels=predictor.labels)
        except Released:
            parts.publish()
            raise
    if parts.rows != spec.rows:
        raise AssertionError(f"{parts.rows} answers to {spec.rows} texts")
    return {"predictions": parts.join(), "rows": parts.rows, "counts": parts.tally.counts()}


def load_predictor(job: OpenJob, model_id: ModelId) -> Predictor:
    """The served form of the model, each of its files checked; one thread a call.

    What computes it is what an earlier attempt began with, so that all answers are of one engine;
    else, or where this machine has not got that, what serves the model on this machine.

    Raises:
        ModelGone: it was deleted.
        ModelUnavailable: its files are missing, changed, or of another version.
    """
    row = durably(
        job.database, lambda session: ModelRepository(session).get(job.tenant_id, model_id)
    )
    if row is None or row.deleted_at is not None:
        raise ModelGone(f"The model {model_id} was deleted.")

    def failed(error: Exception) -> None:
        log.warning("engine_failed", engine=engine, exc_info=error)

    try:
        files = job.artifacts.verified_tree(row.artifact)
        engine = begun_with(job)
        if engine is None or why_absent(engine, files) is not None:
            engine = choose_for(row.export, pinned=job.assignment.predict_engine).engine
        return Predictor.load_surely(files, engine, failed=failed)
    except (ArtifactDamaged, ValueError) as error:
        raise ModelUnavailable(f"The files of {model_id} cannot be loaded: {error}") from error


def _answer(
    job: OpenJob,
    spec: PredictionSpec,
    crew: Crew,
    parts: PredictionParts,
    *,
    labels: tuple[str, ...],
) -> None:
    def tell(done: int) -> None:
        job.faults.reach("predict.turn")
        rows = parts.rows + done
        job.progress.advance(rows, rows=rows, counts=parts.tally.counts())
        job.book.tell_sometimes(EventType.PREDICT_PROGRESS, rows=rows, of=spec.rows)
        job.stop.check()

    tell(0)
    path = job.artifacts.path(job.dataset.rows_artifact)
    for texts in iter_texts(path, start=parts.rows, size=PART_ROWS):
        classified = crew.classify(texts, told=tell)
        parts.add(tabulate(texts, classified, labels=labels, spec=spec))
    tell(0)
