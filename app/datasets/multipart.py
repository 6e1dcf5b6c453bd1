"""A form read as it arrives: fields in memory, the one file straight to where it shall go."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.datasets.errors import MalformedMultipart, MissingFile, TooManyFiles

MAX_PARTS = 32
MAX_FIELD_BYTES = 16 * 1024
MAX_HEADER_BYTES = 8 * 1024
FILE_PART = "file"

Sink = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True)
class Form:
    """What a form held: text fields by name, and the name its file came with."""

    fields: dict[str, str]
    file_name: str


@dataclass
class _Part:
    """The part that is being read."""

    headers: dict[str, bytes] = field(default_factory=dict)
    name: str = ""
    content: bytearray = field(default_factory=bytearray)
    is_file: bool = False


async def read_form(content_type: str, chunks: AsyncIterator[bytes], *, sink: Sink) -> Form:
    """Read a multipart/form-data body to its end.

    Args:
        content_type: the header, which names the boundary.
        sink: takes the file's bytes as they come.

    Raises:
        MalformedMultipart: broken, incomplete, or of more or larger parts than a form has.
        MissingFile: no file part came.
        TooManyFiles: more than one came.
    """
    reader = _FormReader(_boundary(content_type))
    async for chunk in chunks:
        for piece in reader.feed(chunk):
            await sink(piece)
    return reader.finish()


def _boundary(content_type: str) -> bytes:
    _, parameters = parse_options_header(content_type)
    boundary = parameters.get(b"boundary", b"")
    if not boundary:
        raise MalformedMultipart("The Content-Type header names no boundary.")
    return boundary


class _FormReader:
    """The parser's callbacks: they only sort bytes; writing is left to who can wait for it."""

    def __init__(self, boundary: bytes) -> None:
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_begin": self._begin_header,
                    "on_header_field": self._add_header_name,
                    "on_header_value": self._add_header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._open_part,
                    "on_part_data": self._add_content,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
                max_header_size=MAX_HEADER_BYTES,
            )
        except FormParserError as error:
            raise MalformedMultipart(f"The form cannot be read: {error}.") from error
        self._part = _Part()
        self._parts = 0
        self._header_name = b""
        self._header_value = b""
        self._fields: dict[str, str] = {}
        self._file_name: str | None = None
        self._pieces: list[bytes] = []
        self._ended = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Parse the next bytes; returns those that belong to the file."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise MalformedMultipart(f"The form cannot be read: {error}.") from error
        pieces, self._pieces = self._pieces, []
        return pieces

    def finish(self) -> Form:
        if not self._ended:
            raise MalformedMultipart("The form ends before its last boundary.")
        if self._file_name is None:
            raise MissingFile(f"The form has no part {FILE_PART!r} with a file name.")
        return Form(self._fields, self._file_name)

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise MalformedMultipart(f"The form has more than {MAX_PARTS} parts.")
        self._part = _Part()

    def _begin_header(self) -> None:
        self._header_name = self._header_value = b""

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        name = self._header_name.decode("latin-1").lower()
        self._part.headers[name] = self._header_value

    def _open_part(self) -> None:
        _, options = parse_options_header(self._part.headers.get("content-disposition"))
        if b"name" not in options:
            raise MalformedMultipart("A part has no name.")
        self._part.name = _text(options[b"name"])
        file_name = _text(options.get(b"filename", b""))
        if not file_name:
            return
        if self._file_name is not None:
            raise TooManyFiles("The form carries more than one file; a dataset is made of one.")
        if self._part.name != FILE_PART:
            raise MissingFile(f"The file came as {self._part.name[:80]!r}, not as {FILE_PART!r}.")
        self._part.is_file = True
        self._file_name = file_name

    def _add_content(self, data: bytes, start: int, end: int) -> None:
        if self._part.is_file:
            self._pieces.append(data[start:end])
            return
        self._part.content += data[start:end]
        if len(self._part.content) > MAX_FIELD_BYTES:
            raise MalformedMultipart(
                f"The field {self._part.name[:80]!r} is larger than {MAX_FIELD_BYTES} bytes."
            )

    def _end_part(self) -> None:
        part = self._part
        if part.is_file or part.name == FILE_PART:
            return
        if part.name in self._fields:
            raise MalformedMultipart(f"The field {part.name[:80]!r} appears twice.")
        self._fields[part.name] = _text(bytes(part.content))

    def _end(self) -> None:
        self._ended = True


def _text(raw: bytes) -> str:
    """Form fields are UTF-8; what is not is shown as well as it can be, and refused later."""
    return raw.decode("utf-8", "replace")
