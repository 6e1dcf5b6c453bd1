"""From texts to a model in one call."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from os import PathLike, fspath
from typing import Any

from llkd_client.calls import datasets, jobs
from llkd_client.errors import NotFound, Unauthorized
from llkd_client.operations import Core, Operation
from llkd_client.progress import Progress, telling_long_waits
from llkd_client.requests import given
from llkd_client.shapes.datasets import Dataset
from llkd_client.shapes.jobs import Job
from llkd_client.specs import Labels, as_kind, as_labels, as_teacher, is_dataset

Row = str | Mapping[str, Any]
Texts = str | PathLike[str] | Dataset | Iterable[Row]
# Texts with the label that a person gave each.
Gold = Texts | Iterable[tuple[str, str]]
# Somebody is watching.
POLL_SECONDS = 1.0
DEFAULT_NAME = "texts"
OF_TEACHER = tuple(f"{role}_column" for role in datasets.ROLES if role != "label")


def distill(
    core: Core,
    texts: Texts,
    labels: Labels,
    *,
    teacher: str | Mapping[str, Any],
    gold: Gold | None,
    columns: Mapping[str, str] | None,
    progress: Progress,
    request: Mapping[str, Any],
) -> Operation[Job]:
    """Upload, queue, and see it through; returns the job that succeeded.

    Raises:
        JobFailed: it failed or was cancelled.
    """
    core = _telling(core, progress)
    name = request.get("name")
    pool = yield from _dataset(core, texts, name=name, columns=columns, progress=progress)
    evaluation = None
    if gold is not None:
        # What a teacher answered belongs to the texts to learn from.
        told = {name: column for name, column in (columns or {}).items() if name not in OF_TEACHER}
        gold_columns = {"label_column": "label", **told}
        measuring = yield from _dataset(
            core, gold, name=f"{name or DEFAULT_NAME}-gold", columns=gold_columns, progress=progress
        )
        evaluation = {"dataset_id": measuring}
    body = {
        "dataset_id": pool,
        "labels": as_labels(labels),
        "teacher": as_teacher(teacher),
        **given(evaluation=evaluation),
        **request,
    }
    for part in ("selection", "student"):
        if part in body:
            body[part] = as_kind(body[part])
    job = yield from jobs.create(core, **body)
    return (yield from see_through(core, job.id, progress=progress))


def see_through(core: Core, job_id: str, *, progress: Progress) -> Operation[Job]:
    """Show a job until it has ended; interrupted, say how to come back to it.

    Raises:
        JobFailed: it failed or was cancelled.
    """
    core = _telling(core, progress)
    try:
        job = yield from jobs.wait(core, job_id, poll_seconds=POLL_SECONDS, on_progress=progress.at)
    except GeneratorExit:
        raise
    except (NotFound, Unauthorized):
        # There is none to come back to, or not for us.
        progress.end()
        raise
    except BaseException as error:
        how = f'{job_id} goes on without us. Come back with client.attach("{job_id}").'
        error.add_note(how)
        progress.say(how)
        raise
    progress.end()
    return job.require_success()


def _telling(core: Core, progress: Progress) -> Core:
    """With its long waits shown, unless somebody is told of them already."""
    if core.retry.on_wait is not None:
        return core
    return replace(core, retry=replace(core.retry, on_wait=telling_long_waits(progress.say)))


def _dataset(
    core: Core,
    texts: Gold,
    *,
    name: str | None,
    columns: Mapping[str, str] | None,
    progress: Progress,
) -> Operation[str]:
    """Its id: of one that is there, of a file, or of texts in memory."""
    if isinstance(texts, Dataset):
        return texts.id
    if isinstance(texts, str) and is_dataset(texts):
        return texts
    if isinstance(texts, str | PathLike):
        options = {**given(name=name), **(columns or {})}
        adding = datasets.add(core, fspath(texts), on_bytes=progress.uploading, **options)
    else:
        rows = [_row(each) for each in texts]
        adding = datasets.add_texts(
            core, rows, name=name or DEFAULT_NAME, on_bytes=progress.uploading
        )
    try:
        made = yield from adding
    finally:
        progress.end()
    return made.id


def _row(told: Row | tuple[str, str]) -> Row:
    if isinstance(told, tuple):
        text, label = told
        return {"text": text, "label": label}
    return told
