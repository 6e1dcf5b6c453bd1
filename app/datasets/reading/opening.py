"""From a path to decoded text: what the first bytes say, unpacking with a limit, decoding.

A file is what its extension says, or it is refused: nothing is sniffed. The one thing
honoured unasked is a byte order mark, which is a statement, not a guess.
"""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from app.datasets.errors import (
    DecompressionLimit,
    EmptyFile,
    FileTypeMismatch,
    InvalidFileEncoding,
    MalformedGzip,
)
from app.datasets.options import (
    MAX_RATIO,
    RATIO_FREE_BYTES,
    Encoding,
    Format,
    ReadOptions,
)

CHUNK = 1024 * 1024
HEAD = 1024
# A UTF-16 file without its mark is valid UTF-8 when it holds ASCII: every other byte is 0.
NUL_SHARE = 0.25

SIGNATURES = {
    b"PK\x03\x04": "a zip archive (as .xlsx and .docx are)",
    b"PK\x05\x06": "an empty zip archive",
    b"\x1f\x8b": "gzip",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh91AY&SY": "bzip2",
    b"Rar!\x1a\x07": "a rar archive",
    b"\x7fELF": "a program",
    b"%PDF-": "a PDF",
    b"PAR1": "Parquet",
    b"PARE": "encrypted Parquet",
    b"ARROW1\x00\x00": "an Arrow file",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old Office document",
    b"SQLite format 3\x00": "a SQLite database",
    b"\x89PNG\r\n\x1a\n": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\x80\x02": "a pickle",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
}
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class LimitedReader(io.RawIOBase):
    """The unpacked bytes of a gzip file, until there are more than its size can explain."""

    def __init__(self, path: Path, *, max_bytes: int) -> None:
        self._file = gzip.open(path, "rb")  # noqa: SIM115 - closed with this reader
        packed = path.stat().st_size
        self._limit = min(max_bytes, max(RATIO_FREE_BYTES, packed * MAX_RATIO))
        self._unpacked = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        try:
            part = self._file.read(len(buffer))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise MalformedGzip(f"The file cannot be unpacked: {error}.") from error
        self._unpacked += len(part)
        if self._unpacked > self._limit:
            raise DecompressionLimit(f"The file unpacks to more than {self._limit} bytes.")
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        self._file.close()
        super().close()


@contextmanager
def open_bytes(path: Path, options: ReadOptions) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked if it is packed.

    Raises:
        FileTypeMismatch: it should be packed and is not.
    """
    if not options.packed:
        with path.open("rb", buffering=CHUNK) as plain:
            yield plain
        return
    with path.open("rb") as packed:
        if packed.read(2) != b"\x1f\x8b":
            raise FileTypeMismatch("The name ends in .gz, but the content is not gzip.")
    with LimitedReader(path, max_bytes=options.max_unpacked_bytes) as raw:
        yield io.BufferedReader(raw, buffer_size=CHUNK)


@contextmanager
def open_text(path: Path, options: ReadOptions, *, newline: str) -> Iterator[TextIO]:
    r"""The file as text, decoded strictly, its byte order mark removed.

    Args:
        newline: as of `open`: "" also ends lines at a lone carriage return, "\n" does not.

    Raises:
        EmptyFile, FileTypeMismatch, InvalidFileEncoding: of its first bytes. A byte that
            cannot be decoded further on raises UnicodeDecodeError where it is read;
            `locate_encoding_error` says where it is.
    """
    with open_bytes(path, options) as content:
        head = peek(content)
        refuse_other_formats(head, options.format)
        codec = codec_of(head, options.encoding)
        with io.TextIOWrapper(content, encoding=codec, errors="strict", newline=newline) as text:
            yield text


def peek(content: BinaryIO) -> bytes:
    """The first bytes, left to be read again.

    Raises:
        EmptyFile: there are none.
    """
    assert isinstance(content, io.BufferedReader)
    head = content.peek(HEAD)[:HEAD]
    if not head:
        raise EmptyFile("The file holds no bytes.")
    return head


def refuse_other_formats(head: bytes, format_: Format) -> None:
    """Raise FileTypeMismatch for content that is known to be something else than text."""
    for signature, kind in SIGNATURES.items():
        if head.startswith(signature):
            raise FileTypeMismatch(f"The name says .{format_.value}, but the content is {kind}.")


def codec_of(head: bytes, encoding: Encoding) -> str:
    """The codec to decode with: the one asked for, or the one a byte order mark states.

    Raises:
        InvalidFileEncoding: the first bytes cannot be text in that encoding.
    """
    marked = next((codec for mark, codec in MARKS if head.startswith(mark)), None)
    if encoding is Encoding.UTF_16 and marked != "utf-16":
        raise InvalidFileEncoding(
            "Byte 0: utf-16 needs a byte order mark; without one, name utf-16-le or utf-16-be."
        )
    if encoding is not Encoding.UTF_8:
        return encoding.value
    if marked is None and head.count(0) > len(head) * NUL_SHARE:
        raise InvalidFileEncoding(
            f"Byte {head.index(0)}: this is not UTF-8 text. UTF-16 without a byte order mark "
            "is read with encoding=utf-16-le or utf-16-be."
        )
    return marked or encoding.value


def locate_encoding_error(path: Path, options: ReadOptions) -> InvalidFileEncoding:
    """Where the first byte is that the file's codec cannot decode.

    The fast path decodes in blocks whose error does not know its place in the file; this
    reads once more, up to the fault, and does.
    """
    with open_bytes(path, options) as content:
        codec = codec_of(peek(content), options.encoding)
        decoder = codecs.getincrementaldecoder(codec)("strict")
        before = 0
        while True:
            chunk = content.read(CHUNK)
            pending = len(_pending(decoder))
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                offset = before - pending + error.start
                # A signature that the codec cut off before is not in what it complains about.
                offset += _cut_mark(error, chunk, pending)
                return _invalid(options.encoding, offset, error)
            before += len(chunk)


def _pending(decoder: codecs.IncrementalDecoder) -> bytes:
    """The bytes of an unfinished character that the decoder keeps for the next chunk."""
    return decoder.getstate()[0]


def _cut_mark(error: UnicodeDecodeError, chunk: bytes, pending: int) -> int:
    return max(0, pending + len(chunk) - len(error.object))


def _invalid(encoding: Encoding, offset: int, error: UnicodeDecodeError) -> InvalidFileEncoding:
    shown = error.object[error.start : error.start + 1].hex()
    return InvalidFileEncoding(
        f"Byte {offset} (0x{shown}) is not valid {encoding.value}. "
        "If the file has another encoding, name it with `encoding`."
    )
