"""/datasets."""

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from llkd_client.following import pages
from llkd_client.operations import Core, Items, Operation
from llkd_client.requests import (
    FilePart,
    Form,
    OnBytes,
    Request,
    creating,
    file_part,
    given,
    lines_part,
    path_of,
    refuse_one_string,
)
from llkd_client.shapes.datasets import Dataset, Issue, Text

# The fields of a row that are read from a column which has to be named.
ROLES = (
    "label",
    "teacher_label",
    "teacher_confidence",
    "teacher_probabilities",
    "teacher_votes",
)


def add(
    core: Core,
    /,
    file: str | PathLike[str],
    *,
    name: str | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    answers: str | PathLike[str] | None = None,
    on_bytes: OnBytes | None = None,
    idempotency_key: str | None = None,
    **options: str,
) -> Operation[Dataset]:
    """Upload a file: .csv, .tsv, .jsonl or .txt, each also as .gz, or .parquet.

    Args:
        label_column: gold labels, made by people.
        answers: a second file, with a teacher's answers to texts of the first.
        on_bytes: told of bytes sent, and of all there are.
        options: the other fields of the form: `teacher_label_column`, `encoding`, `delimiter`,
            `on_bad_row` …

    Raises:
        OSError: the file cannot be read.
        InvalidRequest: nor can its content; `errors` name lines and columns.
    """
    files = {"file": file_part(Path(file))}
    if answers is not None:
        files["answers"] = file_part(Path(answers))
    fields = given(name=name, text_column=text_column, label_column=label_column, **options)
    return _upload(core, files, fields, on_bytes, idempotency_key)


def add_texts(
    core: Core,
    /,
    texts: Iterable[str | Mapping[str, Any]],
    *,
    name: str,
    on_bytes: OnBytes | None = None,
    idempotency_key: str | None = None,
) -> Operation[Dataset]:
    """Upload texts that are in memory: strings, or rows as `/openapi.json` has them.

    A row has a `text`, and may have a `label`, a `teacher_label`, a `teacher_confidence` …

    Raises:
        TypeError: it is one string.
    """
    refuse_one_string(texts)
    rows = [{"text": row} if isinstance(row, str) else row for row in texts]
    columns = {
        f"{role}_column": role for role in ROLES if any(row.get(role) is not None for row in rows)
    }
    files = {"file": lines_part(rows, name="texts.jsonl")}
    return _upload(core, files, {"name": name, **columns}, on_bytes, idempotency_key)


def add_kept_texts(
    core: Core, /, model: str, *, name: str, idempotency_key: str | None = None
) -> Operation[Dataset]:
    """A dataset of the texts that `client.models.keep_texts` kept, without the model's answers."""
    body = {"name": name, "kept_texts_of": model}
    return core.fetch(Dataset, creating("/datasets", body, key=idempotency_key))


def list_datasets(core: Core, /, *, limit: int | None = None) -> Items[Dataset]:
    """All datasets, newest first."""
    return pages(core, Dataset, "/datasets", limit=limit)


def get(core: Core, /, dataset_id: str) -> Operation[Dataset]:
    return core.fetch(Dataset, Request("GET", path_of("datasets", dataset_id)))


def rows(core: Core, /, dataset_id: str, *, limit: int | None = None) -> Items[Text]:
    """The texts that are used."""
    return pages(core, Text, path_of("datasets", dataset_id, "rows"), limit=limit)


def issues(core: Core, /, dataset_id: str, *, limit: int | None = None) -> Items[Issue]:
    """The rows that were set aside, with the reason of each."""
    return pages(core, Issue, path_of("datasets", dataset_id, "issues"), limit=limit)


def delete(core: Core, /, dataset_id: str) -> Operation[None]:
    """Raises Conflict while a job uses it."""
    return core.do(Request("DELETE", path_of("datasets", dataset_id)))


def _upload(
    core: Core,
    files: Mapping[str, FilePart],
    fields: Mapping[str, str],
    on_bytes: OnBytes | None,
    key: str | None,
) -> Operation[Dataset]:
    form = Form(files, fields, on_bytes)
    return core.fetch(Dataset, creating("/datasets", form=form, key=key))
