"""From a request to its answer: resolve, let in, load, read, batch, shape."""

import asyncio
import re
from collections.abc import Sequence

import anyio.to_thread
import numpy as np

from app.predict.answered import Answered
from app.predict.lanes import Work
from app.predict.names import ModelRef
from app.predict.rendering import render
from app.predict.schemas import MAX_SCORES, PredictBody
from app.predict.serving import Serving
from app.predict.shelf import Held
from core.errors import ErrorItem, NotFound, ValidationFailed
from core.ids import TenantId
from llkd.long_texts import LongTexts
from llkd.predictor import mean_of_windows
from llkd.types import FloatArray

_WORD = "[a-z0-9][a-z0-9._-]{0,63}"
REFERENCE = re.compile(rf"{_WORD}(@{_WORD})?|(model|job)_[0-9A-HJKMNP-TV-Z]{{26}}")


# Answers with more scores than this are put into words on a thread, off the event loop.
INLINE_SCORES = 5000


async def predict(
    serving: Serving, *, tenant: TenantId, reference: str, body: PredictBody
) -> bytes:
    """Answer a request for predictions.

    Returns:
        The JSON of `app.predict.schemas.Predictions`.

    Raises:
        ServiceError: as `classify`.
    """
    answered = await classify(
        serving,
        tenant=tenant,
        reference=reference,
        texts=body.input,
        long_texts=body.long_texts,
        most_scores=body.top_k,
        threshold=body.threshold,
    )
    if answered.probabilities.size <= INLINE_SCORES:
        return render(answered, body)
    return await anyio.to_thread.run_sync(render, answered, body)


async def classify(
    serving: Serving,
    *,
    tenant: TenantId,
    reference: str,
    texts: Sequence[str],
    long_texts: LongTexts = "head",
    most_scores: int | None = None,
    threshold: float | None = None,
) -> Answered:
    """Classify N texts; touches neither database nor disk once the model is in memory.

    Args:
        reference: a model's or job's id, a name, or `name@alias`.
        most_scores: scores a text that will be told; None for one a label.
        threshold: below it an answer counts as abstained.

    Raises:
        NotFound, Gone, ModelNotReady, ModelUnavailable, NoRoom, ModelTooLarge, Overloaded,
        ValidationFailed
    """
    if REFERENCE.fullmatch(reference) is None:
        raise NotFound("model", reference)
    registry = serving.registry
    model = registry.names.remembered(tenant, reference)
    if model is None:
        model = await anyio.to_thread.run_sync(registry.names.ask, tenant, reference)
    with serving.admission.admitted(registry.lane(model), texts):
        held = registry.take(model)
        try:
            answered = await _answer(
                serving,
                held,
                model=model,
                texts=texts,
                long_texts=long_texts,
                most_scores=most_scores,
                threshold=threshold,
            )
        finally:
            registry.give_back(held)
    serving.keeper.offer(model, texts, answered.classified, labels=answered.labels)
    return answered


async def _answer(
    serving: Serving,
    held: Held,
    *,
    model: ModelRef,
    texts: Sequence[str],
    long_texts: LongTexts,
    most_scores: int | None,
    threshold: float | None,
) -> Answered:
    if not held.loaded.done():
        with serving.admission.promised(held.lane, texts):
            # Shielded: the one who asked first may leave, and the others still wait for it.
            await asyncio.shield(asyncio.wrap_future(held.loaded))
    labels = held.predictor.labels
    _refuse_too_many(texts=len(texts), scores=min(most_scores or len(labels), len(labels)))
    work = serving.batcher.open(held.lane)
    try:
        if serving.reader.is_small(texts):
            reading = serving.reader.read_now(held.predictor, work, texts, long_texts)
        else:
            with serving.admission.promised(held.lane, texts):
                reading = await serving.reader.read_beside(held.predictor, work, texts, long_texts)
        await work.answer
    except BaseException:
        # Above all when the client has left: its windows make place at once.
        serving.batcher.abandon(work)
        raise
    probabilities = mean_of_windows(_rows(work), reading.windows)
    held.lane.meter.count_answers(
        probabilities, threshold=threshold, truncated=sum(reading.truncated)
    )
    return Answered(model, labels, probabilities, reading)


def _rows(work: Work) -> FloatArray:
    """[W, K], a row a window."""
    rows = [row for row in work.answers if row is not None]
    return rows[0][None, :] if len(rows) == 1 else np.stack(rows)


def _refuse_too_many(*, texts: int, scores: int) -> None:
    if texts * scores > MAX_SCORES:
        message = f"{texts} texts with {scores} scores each are more than {MAX_SCORES}."
        raise ValidationFailed(message, errors=[ErrorItem("/top_k", "too-many-scores", message)])
