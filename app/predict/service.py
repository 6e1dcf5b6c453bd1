"""From a request to its answer: resolve, load, classify, shape."""

import asyncio
import os
import re
from collections.abc import Sequence
from typing import Any

import anyio.to_thread
import numpy as np
import orjson
from prometheus_client import Counter

from app.predict.engine import PredictEngine
from app.predict.kept_texts import TextKeeper
from app.predict.names import ModelRef
from app.predict.registry import ModelRegistry
from app.predict.schemas import MAX_SCORES, PredictBody
from core.config import Settings
from core.errors import ErrorItem, NotFound, ValidationFailed
from core.ids import TenantId
from llkd.predictor import Predictor
from llkd.types import Classified

PREDICTED = Counter("llkd_predicted_texts", "Texts classified")

_WORD = "[a-z0-9][a-z0-9._-]{0,63}"
REFERENCE = re.compile(rf"{_WORD}(@{_WORD})?|(model|job)_[0-9A-HJKMNP-TV-Z]{{26}}")
# Answers with more scores than this are put into words on a thread, off the event loop.
INLINE_SCORES = 5000


def make_engine(settings: Settings, registry: ModelRegistry) -> PredictEngine:
    """The engine of these settings, with predictors of this registry."""

    def classify(model: ModelRef, texts: Sequence[str]) -> Classified:
        # Asked again at each turn: a request in the line holds no model in memory.
        return registry.load(model).result().classify(texts)

    threads = settings.predict_threads or os.cpu_count() or 1
    return PredictEngine(classify, threads=threads, queue=settings.predict_queue)


async def predict(
    registry: ModelRegistry,
    engine: PredictEngine,
    *,
    keeper: TextKeeper,
    tenant: TenantId,
    reference: str,
    body: PredictBody,
) -> bytes:
    """Classify the texts; touches neither database nor disk once the model is known.

    Returns:
        The JSON of `app.predict.schemas.Predictions`.

    Raises:
        NotFound, Gone, ModelNotReady, ModelUnavailable, Overloaded, ValidationFailed
    """
    if REFERENCE.fullmatch(reference) is None:
        raise NotFound("model", reference)
    with engine.admitted():
        model = registry.names.remembered(tenant, reference)
        if model is None:
            model = await anyio.to_thread.run_sync(registry.names.ask, tenant, reference)
        labels = (await _loaded(registry, model)).labels
        shown = min(body.top_k or len(labels), len(labels))
        _refuse_too_many(texts=len(body.input), scores=shown)
        classified = await engine.classify(model, body.input)
    PREDICTED.inc(len(body.input))
    keeper.offer(model, body.input, classified, labels=labels)
    if len(body.input) * shown <= INLINE_SCORES:
        return render(model, classified, body=body, labels=labels, shown=shown)
    return await anyio.to_thread.run_sync(
        lambda: render(model, classified, body=body, labels=labels, shown=shown)
    )


async def _loaded(registry: ModelRegistry, model: ModelRef) -> Predictor:
    loading = registry.load(model)
    if loading.done():
        return loading.result()
    # Shielded: the one who asked first may leave, and the others still wait for the load.
    return await asyncio.shield(asyncio.wrap_future(loading))


def render(
    model: ModelRef,
    classified: Classified,
    *,
    body: PredictBody,
    labels: Sequence[str],
    shown: int,
) -> bytes:
    """The answer as JSON, with the `shown` best labels of each text."""
    # Stable: labels of equal probability keep the order of the label set.
    order = np.argsort(-classified.probabilities, axis=1, kind="stable")[:, :shown]
    data = [
        _prediction(
            index,
            [(labels[place], float(classified.probabilities[index, place])) for place in best],
            body=body,
            truncated=bool(classified.truncated[index]),
        )
        for index, best in enumerate(order.tolist())
    ]
    return orjson.dumps(
        {
            "object": "list",
            "model": model.id,
            "data": data,
            "usage": {"tokens": classified.tokens},
        }
    )


def _prediction(
    index: int, scores: Sequence[tuple[str, float]], *, body: PredictBody, truncated: bool
) -> dict[str, Any]:
    label, score = scores[0]
    abstained = body.threshold is not None and score < body.threshold
    return {
        "index": index,
        "label": None if abstained and body.on_low_confidence == "abstain" else label,
        "score": score,
        "abstained": abstained,
        "answered_by": "student",
        "truncated": truncated,
        "empty_input": not body.input[index].strip(),
        "scores": [{"label": name, "score": value} for name, value in scores],
    }


def _refuse_too_many(*, texts: int, scores: int) -> None:
    if texts * scores > MAX_SCORES:
        message = f"{texts} texts with {scores} scores each are more than {MAX_SCORES}."
        raise ValidationFailed(message, errors=[ErrorItem("/top_k", "too-many-scores", message)])
