"""From a request's body to a file on the disk and the options to read it with."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from anyio import to_thread
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from app.datasets.errors import EmptyDataset, EmptyFile
from app.datasets.multipart import read_form
from app.datasets.naming import label_from, read_extension
from app.datasets.options import Columns, Format, ReadOptions
from app.datasets.request_schemas import DatasetWrite, FormFields, RowWrite
from app.datasets.upload import Received, Receiver, body_of, refuse_full_disk
from app.middleware import BodyTooLarge
from app.strict_json import UnsupportedMediaType, media_type, parse_strictly
from core.config import Settings

FORM = "multipart/form-data"
JSON = "application/json"
SOURCE = "source"
M = TypeVar("M", bound=BaseModel)
# A file is written as it comes, and its texts twice more while they are sorted out.
COPIES = 3


@dataclass(frozen=True)
class Upload:
    """Everything a request said, its file complete on the disk."""

    name: str
    file: Received
    options: ReadOptions

    @property
    def request_sha256(self) -> str:
        """What the same request sent again has in common with this one."""
        said = json.dumps([self.name, self.file.sha256, self.options.to_json()])
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


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
    with Receiver(folder / SOURCE) as receiver:
        content_type = request.headers["content-type"]
        form = await read_form(content_type, body_of(request), sink=receiver.write)
        file = await receiver.finish()
    fields = _validated(FormFields, form.fields)
    format_, packed = read_extension(form.file_name)
    if file.size_bytes == 0:
        raise EmptyFile("The file holds no bytes.")
    options = ReadOptions(
        format=format_,
        packed=packed,
        columns=Columns(
            text=fields.text_column,
            label=fields.label_column,
            teacher_label=fields.teacher_label_column,
            teacher_confidence=fields.teacher_confidence_column,
            teacher_probabilities=fields.teacher_probabilities_column,
        ),
        encoding=fields.encoding,
        delimiter=fields.delimiter,
        on_bad_row=fields.on_bad_row,
        max_unpacked_bytes=settings.max_upload_bytes,
    )
    return Upload(fields.name or label_from(form.file_name), file, options)


async def _receive_json(request: Request, folder: Path, settings: Settings) -> Upload:
    body = bytearray()
    async for chunk in body_of(request):
        body += chunk
        if len(body) > settings.max_json_bytes:
            raise BodyTooLarge(
                f"A JSON body may have {settings.max_json_bytes} bytes; send more as a file."
            )
    refuse_full_disk(folder, coming=len(body) * COPIES)
    asked = _validated(DatasetWrite, await to_thread.run_sync(parse_strictly, bytes(body)))
    if not asked.rows:
        raise EmptyDataset("There are no rows.")
    path = folder / SOURCE
    await to_thread.run_sync(_write_rows, path, asked.rows)
    file = Received(path, hashlib.sha256(body).hexdigest(), len(body))
    return Upload(asked.name, file, ReadOptions(Format.JSONL, columns=_columns_of(asked.rows)))


def _columns_of(rows: list[RowWrite]) -> Columns:
    """The columns that any row fills."""
    parts = ("label", "teacher_label", "teacher_confidence", "teacher_probabilities")
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
