"""What predicting is counted on; series of a model go when the model leaves memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from prometheus_client import Counter, Gauge, Histogram

from app.predict.names import ModelRef
from llkd.drift import AnswerCounts, Reference, RollingAnswers
from llkd.predictor import MOST_ROWS
from llkd.types import FloatArray

MODEL = ("model",)
REFUSED = Counter("llkd_predict_refused", "Requests refused: would wait too long", ["limit"])
LOADS = Counter("llkd_model_loads", "Models loaded to predict", ["outcome"])
EVICTIONS = Counter("llkd_model_evictions", "Models that left memory for others")
LOADED = Gauge("llkd_models_loaded", "Models in memory")
LOADED_BYTES = Gauge("llkd_model_bytes", "Bytes reserved for models loaded or being loaded")

TEXTS = Counter("llkd_predicted_texts", "Texts classified", MODEL)
ABSTAINED = Counter("llkd_predict_abstained", "Texts below the threshold asked for", MODEL)
TRUNCATED = Counter("llkd_predict_truncated", "Texts of which a part was not read", MODEL)
WINDOWS = Counter("llkd_predict_windows", "Windows read: a long text may have several", MODEL)
TOKENS = Counter("llkd_predict_tokens", "Tokens read", MODEL)
PADDING = Counter("llkd_predict_padding_tokens", "Tokens added to fill batches", MODEL)
ENGINE_SECONDS = Counter("llkd_predict_engine_seconds", "Seconds batches took", MODEL)
BATCH_SIZE = Histogram(
    "llkd_predict_batch_windows", "Windows a batch", MODEL, buckets=tuple(range(1, MOST_ROWS + 1))
)
WAIT = Histogram(
    "llkd_predict_wait_seconds",
    "From queueing to the first batch of a request",
    MODEL,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
SCORE_DRIFT = Gauge("llkd_predict_score_drift", "Population stability index of best scores", MODEL)
LABEL_DRIFT = Gauge(
    "llkd_predict_label_drift", "Population stability index of predicted labels", MODEL
)
OF_A_MODEL = (
    TEXTS, ABSTAINED, TRUNCATED, WINDOWS, TOKENS, PADDING, ENGINE_SECONDS, BATCH_SIZE, WAIT,
    SCORE_DRIFT, LABEL_DRIFT,
)  # fmt: skip


@dataclass(frozen=True)
class Drift:
    """Recent answers beside those to the validation texts; the indices are NaN for too few."""

    reference: Reference
    recent: AnswerCounts
    score_index: float
    label_index: float


class ModelMeter:
    """The series of one model in memory. Safe to call from several threads."""

    def __init__(self, model: ModelRef) -> None:
        self._id = model.id
        # Looked up once: finding a series by its label costs more than counting.
        self._texts = TEXTS.labels(model.id)
        self._abstained = ABSTAINED.labels(model.id)
        self._truncated = TRUNCATED.labels(model.id)
        self._windows = WINDOWS.labels(model.id)
        self._tokens = TOKENS.labels(model.id)
        self._padding = PADDING.labels(model.id)
        self._seconds = ENGINE_SECONDS.labels(model.id)
        self._batch_size = BATCH_SIZE.labels(model.id)
        self._wait = WAIT.labels(model.id)
        self._answers: RollingAnswers | None = None
        self._reference: Reference | None = None
        self._lock = Lock()

    def watch_drift(self, reference: Reference) -> None:
        """Compare answers from now on with those to the validation texts."""
        answers = self._answers = RollingAnswers(len(reference.labels))
        self._reference = reference
        SCORE_DRIFT.labels(self._id).set_function(lambda: answers.score_drift(reference))
        LABEL_DRIFT.labels(self._id).set_function(lambda: answers.label_drift(reference))

    def drift(self) -> Drift | None:
        """What the drift series show, with what is behind it; None where nothing is watched."""
        answers, reference = self._answers, self._reference
        if answers is None or reference is None:
            return None
        with self._lock:
            return Drift(
                reference,
                answers.recent(),
                score_index=answers.score_drift(reference),
                label_index=answers.label_drift(reference),
            )

    def count_wait(self, seconds: float) -> None:
        self._wait.observe(seconds)

    def count_batch(self, *, lengths: Sequence[int], seconds: float) -> None:
        """Take a batch of windows of these lengths into account."""
        tokens = sum(lengths)
        self._windows.inc(len(lengths))
        self._tokens.inc(tokens)
        self._padding.inc(len(lengths) * max(lengths) - tokens)
        self._seconds.inc(seconds)
        self._batch_size.observe(len(lengths))

    def count_answers(self, probabilities: FloatArray, *, unsure: int, truncated: int) -> None:
        """Take the answers [N, K] of one request into account."""
        self._texts.inc(len(probabilities))
        if unsure:
            self._abstained.inc(unsure)
        if truncated:
            self._truncated.inc(truncated)
        if self._answers is not None:
            with self._lock:
                self._answers.count(probabilities)

    def close(self) -> None:
        """Take the series away; what is counted afterwards is not shown."""
        for metric in OF_A_MODEL:
            metric.remove(self._id)
