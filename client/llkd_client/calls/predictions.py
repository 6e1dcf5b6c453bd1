"""/predict, /v1/classify and /predictions."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from llkd_client import following
from llkd_client.following import download, pages
from llkd_client.operations import Core, Items, Operation, Tell
from llkd_client.requests import Repeat, Request, creating, given, path_of, refuse_one_string
from llkd_client.shapes.models import Classification, Prediction, PredictionJob, Predictions

BATCH = 256
# One request's texts, in UTF-8: a fourth of what the service takes by default.
BATCH_BYTES = 4 * 1024 * 1024


def predict(
    core: Core,
    /,
    model: str,
    texts: str | Iterable[str],
    *,
    top_k: int | None = None,
    threshold: float | Mapping[str, float] | None = None,
    target: Mapping[str, float] | None = None,
    on_low_confidence: str | None = None,
    long_texts: str | None = None,
) -> Operation[Predictions]:
    """Answers in the order of the texts, in one request; a string is a batch of one.

    Args:
        threshold: below it the model abstains, or does what `on_low_confidence` says.
        target: `{"agreement": 0.95}`: answer only where that is certified.
        on_low_confidence: `return`, `abstain`, or `teacher`, which spends.
    """
    body = given(
        model=model,
        input=texts if isinstance(texts, str) else list(texts),
        top_k=top_k,
        threshold=threshold,
        target=target,
        on_low_confidence=on_low_confidence,
        long_texts=long_texts,
    )
    repeat = Repeat.IF_REFUSED if on_low_confidence == "teacher" else Repeat.ALWAYS
    return core.fetch(Predictions, Request("POST", "/predict", body=body, repeat=repeat))


def predict_each(
    core: Core, /, model: str, texts: Iterable[str], **options: Any
) -> Items[Prediction]:
    """An answer a text, in order, for any number of texts: they are read and sent in batches.

    `index` counts from the first text of all. Options are those of `predict`.

    Raises:
        TypeError: it is one string.
    """
    refuse_one_string(texts)
    return Items(_predict_each(core, model, texts, options))


def _predict_each(
    core: Core, model: str, texts: Iterable[str], options: Mapping[str, Any]
) -> Operation[None]:
    first = 0
    for batch in batches(texts):
        told = yield from predict(core, model, batch, **options)
        for answer in told.data:
            yield Tell(answer.model_copy(update={"index": first + answer.index}))
        first += len(batch)


def batches(texts: Iterable[str], *, most: int = BATCH) -> Iterator[list[str]]:
    """As many texts as go into one request, at least one and `most` at the most."""
    batch: list[str] = []
    size = 0
    for text in texts:
        # Three times: what JSON and UTF-8 may make of a character.
        length = 3 * len(text)
        if batch and (len(batch) == most or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += length
    if batch:
        yield batch


def classify(core: Core, /, model: str, texts: str | Iterable[str]) -> Operation[Classification]:
    """As vLLM's `/v1/classify` answers."""
    told = texts if isinstance(texts, str) else list(texts)
    body = {"model": model, "input": told}
    return core.fetch(Classification, Request("POST", "/v1/classify", body=body))


def create(
    core: Core,
    /,
    *,
    model: str,
    dataset_id: str,
    idempotency_key: str | None = None,
    **request: Any,
) -> Operation[PredictionJob]:
    """Have a model answer a whole dataset: a job that ends with a file."""
    body = {"model": model, "dataset_id": dataset_id, **request}
    return core.fetch(PredictionJob, creating("/predictions", body, key=idempotency_key))


def list_predictions(
    core: Core, /, *, state: str | None = None, limit: int | None = None
) -> Items[PredictionJob]:
    query = {} if state is None else {"state": state}
    return pages(core, PredictionJob, "/predictions", query=query, limit=limit)


def get(core: Core, /, job_id: str) -> Operation[PredictionJob]:
    return core.fetch(PredictionJob, Request("GET", path_of("predictions", job_id)))


def wait(
    core: Core,
    /,
    job_id: str,
    *,
    timeout: float | None = None,
    poll_seconds: float | None = None,
    on_progress: Callable[[PredictionJob], None] | None = None,
) -> Operation[PredictionJob]:
    """As `client.jobs.wait`."""
    return following.wait(
        core,
        PredictionJob,
        path_of("predictions", job_id),
        timeout=timeout,
        poll_seconds=poll_seconds,
        on_progress=on_progress,
    )


def cancel(core: Core, /, job_id: str) -> Operation[PredictionJob]:
    return core.fetch(PredictionJob, Request("POST", path_of("predictions", job_id, "cancel")))


def output(
    core: Core,
    /,
    job_id: str,
    path: str | PathLike[str],
    *,
    format: str = "jsonl",  # noqa: A002 - as the contract calls it
    safe_csv: bool = True,
) -> Operation[Path]:
    """The answers as a file: `jsonl`, `csv` or `parquet`."""
    query: dict[str, str | int | bool] = {"format": format, "safe_csv": safe_csv}
    request = Request("GET", path_of("predictions", job_id, "output"), query=query)
    return download(core, request, Path(path))
