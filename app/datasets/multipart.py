"""A form read as it arrives: fields in memory, each file straight to where it shall go."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.datasets.errors import MalformedMultipart, MissingFile, TooManyFiles
from app.datasets.options import Part

MAX_PARTS = 32
MAX_FIELD_BYTES = 16 * 1024
MAX_HEADER_BYTES = 8 * 1024

Sink = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True)
class Form:
    """What a form held: text fields by name, and the names its files came with."""

    fields: dict[str, str]
    file_names: dict[Part, str]


@dataclass
class _Part:
    """The part that is being read."""

    headers: dict[str, bytes] = field(default_factory=dict)
    name: str = ""
    content: bytearray = field(default_factory=bytearray)
    file: Part | None = None


async def read_form(
    content_type: str, chunks: AsyncIterator[bytes], *, sinks: Mapping[Part, Sink]
) -> Form:
    """Read a multipart/form-data body to its end.

    Args:
        content_type: the header, which names the boundary.
        sinks: take each file's bytes as they come.

    Raises:
        MalformedMultipart: broken, incomplete, or of more or larger parts than a form has.
        MissingFile: no part `file` came with a file, or a file in a part of another name.
        TooManyFiles: one of the parts came twice.
    """
    reader = _FormReader(_boundary(content_type))
    async for chunk in chunks:
        for part, piece in reader.feed(chunk):
            await sinks[part](piece)
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
        self._file_names: dict[Part, str] = {}
        self._pieces: list[tuple[Part, bytes]] = []
        self._ended = False

    def feed(self, chunk: bytes) -> list[tuple[Part, bytes]]:
        """Parse the next bytes; returns those that belong to a file, with its part."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise MalformedMultipart(f"The form cannot be read: {error}.") from error
        pieces, self._pieces = self._pieces, []
        return pieces

    def finish(self) -> Form:
        if not self._ended:
            raise MalformedMultipart("The form ends before its last boundary.")
        if Part.FILE not in self._file_names:
            raise MissingFile(f"The form has no part {Part.FILE.value!r} with a file name.")
        return Form(self._fields, self._file_names)

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
        self._part.file = self._file_part(self._part.name)
        self._file_names[self._part.file] = file_name

    def _file_part(self, name: str) -> Part:
        """The part that a file came as, for the first time."""
        if name not in set(Part):
            named = " or ".join(repr(part.value) for part in Part)
            raise MissingFile(f"A file came as {name[:80]!r}, not as {named}.")
        if name in self._file_names:
            raise TooManyFiles(f"The form carries more than one file {name!r}.")
        return Part(name)

    def _add_content(self, data: bytes, start: int, end: int) -> None:
        if self._part.file is not None:
            self._pieces.append((self._part.file, data[start:end]))
            return
        self._part.content += data[start:end]
        if len(self._part.content) > MAX_FIELD_BYTES:
            raise MalformedMultipart(
                f"The field {self._part.name[:80]!r} is larger than {MAX_FIELD_BYTES} bytes."
            )

    def _end_part(self) -> None:
        part = self._part
        if part.file is not None:
            return
        if part.name in set(Part):
            # What a browser sends of a field for a file that nobody filled in is empty.
            if part.content:
                raise MissingFile(f"The part {part.name!r} came without a file name.")
            return
        if part.name in self._fields:
            raise MalformedMultipart(f"The field {part.name[:80]!r} appears twice.")
        self._fields[part.name] = _text(bytes(part.content))

    def _end(self) -> None:
        self._ended = True


def _text(raw: bytes) -> str:
    """Form fields are UTF-8; what is not is shown as well as it can be, and refused later."""
    return raw.decode("utf-8", "replace")
