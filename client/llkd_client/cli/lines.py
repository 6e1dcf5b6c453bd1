"""Lines of a file descriptor, as text where they are."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

CHUNK = 64 * 1024


@dataclass(frozen=True)
class Line:
    """A line without its end; `text` is None where its bytes are no UTF-8."""

    number: int
    text: str | None


def read_lines(descriptor: int) -> Iterator[Line]:
    """Each line as soon as it is there.

    Not through Python's buffered file: a thread that waits in one keeps the program from ending.
    """
    number, rest = 0, b""
    while chunk := os.read(descriptor, CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            number += 1
            yield _line(number, line)
    if rest:
        yield _line(number + 1, rest)


def _line(number: int, content: bytes) -> Line:
    try:
        text = content.removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        return Line(number, None)
    return Line(number, text.removeprefix("\ufeff") if number == 1 else text)
