"""From a request to its answer: resolve, let in, load, read, batch, pass on, shape."""

import asyncio
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

import anyio.to_thread
import numpy as np

from app.predict.answered import Answered
from app.predict.deferral.outcome import Deferred
from app.predict.lanes import Work
from app.predict.names import ModelRef
from app.predict.rendering import render
from app.predict.schemas import MAX_SCORES, PredictBody
from app.predict.serving import Serving
from app.predict.shelf import Held
from app.predict.thresholds import Wanted, find_thresholds
from app.predict.wanted import wanted_by
from core.errors import ErrorItem, NotFound, ValidationFailed
from core.ids import MODEL_REFERENCE, TenantId, is_id
from llkd.long_texts import LongTexts
from llkd.predictor import mean_of_windows
from llkd.types import BoolArray, FloatArray

REFERENCE = re.compile(MODEL_REFERENCE)
# Answers with more scores than this are put into words on a thread, off the event loop.
INLINE_SCORES = 5000
# Of more texts than this, or of more characters, the unsure ones are sorted out there as well.
INLINE_OFFERED = 500
INLINE_OFFERED_CHARACTERS = 500_000


async def predict(
    serving: Serving, *, tenant: TenantId, reference: str, body: PredictBody
) -> bytes:
    """Answer a request for predictions.

    Returns:
        The JSON of `app.predict.schemas.Predictions`.

    Raises:
        ServiceError: as `wanted_by`, `resolve`, `Deferral.check` and `classify`.
    """
    wanted = wanted_by(body)
    model = await resolve(serving, tenant=tenant, reference=reference)
    if body.on_low_confidence == "teacher":
        await serving.deferral.check(tenant, model.id)
    answered = await classify(
        serving,
        model,
        body.input,
        long_texts=body.long_texts,
        most_scores=body.top_k,
        wanted=wanted,
    )
    deferred: Mapping[int, Deferred] = {}
    if body.on_low_confidence == "teacher" and answered.unsure.any():
        unsure = np.flatnonzero(answered.unsure).tolist()
        texts = [body.input[index] for index in unsure]
        # Their places in the queue are free; their memory is not, while the teacher thinks.
        with serving.admission.counted(body.input):
            answers = await serving.deferral.answer(tenant, model.id, texts)
        deferred = dict(zip(unsure, answers, strict=True))
    await keep_unsure(serving, answered, body.input, deferred=deferred.keys())
    return await in_words(answered, partial(render, answered, body, deferred))


async def keep_unsure(
    serving: Serving,
    answered: Answered,
    texts: Sequence[str],
    *,
    deferred: Collection[int] = (),
) -> None:
    """As `TextKeeper.offer`; many texts, of which each is hashed, keep no other request waiting."""
    offer = partial(serving.keeper.offer, answered, texts, deferred=deferred)
    is_short = len(texts) <= INLINE_OFFERED and sum(map(len, texts)) <= INLINE_OFFERED_CHARACTERS
    if answered.model.keeping is None or is_short:
        offer()
    else:
        await anyio.to_thread.run_sync(offer)


async def in_words(answered: Answered, render_it: Callable[[], bytes]) -> bytes:
    """What `render_it` makes of these answers, which may be many."""
    if answered.probabilities.size <= INLINE_SCORES:
        return render_it()
    return await anyio.to_thread.run_sync(render_it)


async def resolve(serving: Serving, *, tenant: TenantId, reference: str) -> ModelRef:
    """The immutable model that a reference means now.

    Args:
        reference: a model's or job's id, a name, or `name@alias`.

    Raises:
        NotFound, Gone, ModelNotReady
    """
    if REFERENCE.fullmatch(reference) is None and not is_id(reference, prefix="job"):
        raise NotFound("model", reference)
    names = serving.registry.names
    model = names.remembered(tenant, reference)
    if model is None:
        model = await anyio.to_thread.run_sync(names.ask, tenant, reference)
    return model


async def classify(
    serving: Serving,
    model: ModelRef,
    texts: Sequence[str],
    *,
    long_texts: LongTexts = "head",
    most_scores: int | None = None,
    wanted: Wanted = None,
) -> Answered:
    """Classify N texts; touches neither database nor disk once the model is in memory.

    Args:
        most_scores: scores a text that will be told; None for one a label.
        wanted: below which scores an answer is unsure.

    Raises:
        ModelUnavailable, NoRoom, ModelTooLarge, Overloaded, NotCertified, ValidationFailed
    """
    registry = serving.registry
    with serving.admission.admitted(registry.lane(model), texts):
        held = registry.take(model)
        try:
            return await _answer(
                serving,
                model,
                held,
                texts,
                long_texts=long_texts,
                most_scores=most_scores,
                wanted=wanted,
            )
        finally:
            registry.give_back(held)


async def _answer(
    serving: Serving,
    model: ModelRef,
    held: Held,
    texts: Sequence[str],
    *,
    long_texts: LongTexts,
    most_scores: int | None,
    wanted: Wanted,
) -> Answered:
    if not held.loaded.done():
        with serving.admission.promised(held.lane, texts):
            # Shielded: the one who asked first may leave, and the others still wait for it.
            await asyncio.shield(asyncio.wrap_future(held.loaded))
    labels = held.predictor.labels
    _refuse_too_many(texts=len(texts), scores=min(most_scores or len(labels), len(labels)))
    thresholds = find_thresholds(wanted, labels, held.certifier)
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
    unsure = _unsure(probabilities, thresholds)
    held.lane.meter.count_answers(
        probabilities, unsure=int(unsure.sum()), truncated=sum(reading.truncated)
    )
    return Answered(model, labels, probabilities, unsure, reading)


def _unsure(probabilities: FloatArray, thresholds: FloatArray | None) -> BoolArray:
    """[N], which of the answers [N, K] do not reach the threshold of their label."""
    if thresholds is None:
        return np.zeros(len(probabilities), dtype=np.bool_)
    found: BoolArray = probabilities.max(axis=1) < thresholds[probabilities.argmax(axis=1)]
    return found


def _rows(work: Work) -> FloatArray:
    """[W, K], a row a window."""
    rows = [row for row in work.answers if row is not None]
    assert len(rows) == len(work.answers), "an answer is given when every window has its row"
    return rows[0][None, :] if len(rows) == 1 else np.stack(rows)


def _refuse_too_many(*, texts: int, scores: int) -> None:
    if texts * scores > MAX_SCORES:
        message = f"{texts} texts with {scores} scores each are more than {MAX_SCORES}."
        raise ValidationFailed(message, errors=[ErrorItem("/top_k", "too-many-scores", message)])
