"""From a request's body to a file on the disk and the options to read it with."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from anyio import to_thread
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from app.datasets.errors import EmptyDataset, EmptyFile
from app.datasets.multipart import Form, read_form
from app.datasets.naming import label_from, read_extension
from app.datasets.options import Columns, Format, Part, ReadOptions, SourceFile
from app.datasets.request_schemas import DatasetOfKeptTexts, DatasetWrite, FormFields, RowWrite
from app.datasets.upload import Received, Receiver, body_of, refuse_full_disk
from app.middleware import BodyTooLarge
from app.strict_json import UnsupportedMediaType, media_type, parse_strictly
from core.config import Settings
from core.errors import ErrorItem, ValidationFailed

FORM = "multipart/form-data"
JSON = "application/json"
SOURCE = "source"
ANSWERS = "answers"
NO_COLUMNS_CODE = "no-answer-columns"
NO_COLUMNS = (
    "A file `answers` came, and none of `teacher_label_column`, `teacher_probabilities_column` and "
    "`teacher_votes_column` says where in it the answers are."
)
M = TypeVar("M", bound=BaseModel)
# A file is written as it comes, and its texts twice more while they are sorted out.
COPIES = 3


@dataclass(frozen=True)
class Upload:
    """Everything a request said, its files complete on the disk.

    Attributes:
        answers: a second file, with the answers of a teacher to texts of the first.
        kept_texts_of: the model whose kept texts are the rows; `file` is then still to be
            written, and its digest that of the body.
    """

    name: str
    file: Received
    options: ReadOptions
    answers: "AnswersFile | None" = None
    kept_texts_of: str | None = None

    @property
    def size_bytes(self) -> int:
        """How much was sent, in both files."""
        return self.file.size_bytes + (0 if self.answers is None else self.answers.file.size_bytes)

    @property
    def request_sha256(self) -> str:
        """What the same request sent again has in common with this one."""
        second = self.answers
        also = [] if second is None else [second.file.sha256, second.options.to_json()]
        said = json.dumps([self.name, self.file.sha256, self.options.to_json(), *also])
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class AnswersFile:
    """The second file, and how it is to be read."""

    file: Received
    options: ReadOptions

    @property
    def source(self) -> SourceFile:
        return SourceFile(self.file.path, self.options)


async def receive(request: Request, folder: Path, settings: Settings) -> Upload:
    """Take the body in either form.

    Raises:
        ServiceError: it is neither, or incomplete, too large or not valid.
        RequestValidationError: a field of it is not valid.
    """
    match media_type(request):
        case "multipart/form-data":
            return await _receive_form(request, folder, settings)
        case "application/json":
            return await _receive_json(request, folder, settings)
        case other:
            raise UnsupportedMediaType(
                f"Send a file as {FORM} or rows as {JSON}, not {other or 'an unnamed type'!r}."
            )


async def _receive_form(request: Request, folder: Path, settings: Settings) -> Upload:
    announced = request.headers.get("content-length", "")
    coming = int(announced) if announced.isdigit() else 0
    refuse_full_disk(folder, coming=coming * COPIES)
    with Receiver(folder / SOURCE) as texts, Receiver(folder / ANSWERS) as answers:
        sinks = {Part.FILE: texts.write, Part.ANSWERS: answers.write}
        content_type = request.headers["content-type"]
        form = await read_form(content_type, body_of(request), sinks=sinks)
        file, second = await texts.finish(), await answers.finish()
    said = _validated(FormFields, form.fields)
    name = said.name or label_from(form.file_names[Part.FILE])
    columns = _columns_named(said)
    options = partial(_options, said, settings=settings)
    if Part.ANSWERS not in form.file_names:
        return Upload(name, file, options(form, Part.FILE, file, columns=columns))
    if not columns.answers():
        raise ValidationFailed(
            NO_COLUMNS, errors=[ErrorItem("/answers", NO_COLUMNS_CODE, NO_COLUMNS)]
        )
    texts_alone, answers_alone = columns.texts_alone(), columns.answers_alone()
    return Upload(
        name,
        file,
        options(form, Part.FILE, file, columns=texts_alone),
        AnswersFile(second, options(form, Part.ANSWERS, second, columns=answers_alone)),
    )


def _columns_named(fields: FormFields) -> Columns:
    return Columns(
        text=fields.text_column,
        label=fields.label_column,
        teacher_label=fields.teacher_label_column,
        teacher_confidence=fields.teacher_confidence_column,
        teacher_probabilities=fields.teacher_probabilities_column,
        teacher_votes=fields.teacher_votes_column,
    )


def _options(
    fields: FormFields,
    form: Form,
    part: Part,
    file: Received,
    *,
    columns: Columns,
    settings: Settings,
) -> ReadOptions:
    """How a part's file is read: its name says in which format, the fields all else.

    Raises:
        UnsupportedFormat: in none that is read.
        EmptyFile: it holds nothing.
    """
    format_, packed = read_extension(form.file_names[part])
    if file.size_bytes == 0:
        raise EmptyFile(f"The file {part.value!r} holds no bytes.")
    return ReadOptions(
        format=format_,
        packed=packed,
        columns=columns,
        encoding=fields.encoding,
        delimiter=fields.delimiter,
        on_bad_row=fields.on_bad_row,
        max_unpacked_bytes=settings.max_upload_bytes,
    )


async def _receive_json(request: Request, folder: Path, settings: Settings) -> Upload:
    body = bytearray()
    async for chunk in body_of(request):
        body += chunk
        if len(body) > settings.max_json_bytes:
            raise BodyTooLarge(
                f"A JSON body may have {settings.max_json_bytes} bytes; send more as a file."
            )
    refuse_full_disk(folder, coming=len(body) * COPIES)
    path, digest = folder / SOURCE, hashlib.sha256(body).hexdigest()
    given = await to_thread.run_sync(parse_strictly, bytes(body))
    if isinstance(given, Mapping) and "kept_texts_of" in given:
        kept = _validated(DatasetOfKeptTexts, given)
        file, options = Received(path, digest, len(body)), ReadOptions(Format.JSONL)
        return Upload(kept.name, file, options, kept_texts_of=kept.kept_texts_of)
    asked = _validated(DatasetWrite, given)
    if not asked.rows:
        raise EmptyDataset("There are no rows.")
    await to_thread.run_sync(_write_rows, path, asked.rows)
    file = Received(path, digest, len(body))
    return Upload(asked.name, file, ReadOptions(Format.JSONL, columns=_columns_of(asked.rows)))


def _columns_of(rows: list[RowWrite]) -> Columns:
    """The columns that any row fills."""
    parts = [part.name for part in fields(Columns) if part.name != "text"]
    filled = [part for part in parts if any(getattr(row, part) is not None for row in rows)]
    return Columns(text="text", **{part: part for part in filled})


def _write_rows(path: Path, rows: list[RowWrite]) -> None:
    """As JSON lines; a lone surrogate travels as its escape, to be set aside where rows are."""
    with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
        for row in rows:
            file.write(json.dumps(row.model_dump(), ensure_ascii=False) + "\n")


def _validated(model: type[M], given: Any) -> M:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        faults = [
            {**fault, "loc": ("body", *fault["loc"])}
            for fault in error.errors(include_url=False, include_context=False)
        ]
        body = dict(given) if isinstance(given, Mapping) else given
        raise RequestValidationError(faults, body=body) from error
