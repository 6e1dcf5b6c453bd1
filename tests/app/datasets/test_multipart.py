"""Forms, in pieces of any size."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.datasets.multipart import Form, read_form
from app.datasets.options import Part
from core.errors import ServiceError

CONTENT = b"text\r\n--not-the-boundary\r\n\x00\xff--b\r\n"
BODY = (
    b"--b\r\n"
    b'Content-Disposition: form-data; name="name"\r\n\r\ncaf\xc3\xa9\r\n--b\r\n'
    b'Content-Disposition: form-data; name="file"; filename="a;\\"b.csv"\r\n'
    b"Content-Type: text/csv\r\n\r\n" + CONTENT.replace(b"--b\r\n", b"--c\r\n") + b"\r\n--b\r\n"
    b'Content-Disposition: form-data; name="answers"; filename="c.jsonl"\r\n\r\n'
    b"\r\nsecond\r\n\r\n--b--\r\n"
)
HEADER = "multipart/form-data; boundary=b"


def read(pieces: Sequence[bytes], header: str = HEADER) -> tuple[Form, bytes, bytes]:
    written, answers = bytearray(), bytearray()

    async def take(piece: bytes) -> None:
        written.extend(piece)

    async def take_answers(piece: bytes) -> None:
        answers.extend(piece)

    async def chunks() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    sinks = {Part.FILE: take, Part.ANSWERS: take_answers}
    form = asyncio.run(read_form(header, chunks(), sinks=sinks))
    return form, bytes(written), bytes(answers)


def cut(content: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(places), len(content)]
    return [content[start:stop] for start, stop in pairwise(edges)]


class TestReadForm:
    @given(places=st.lists(st.integers(0, len(BODY)), max_size=12))
    def test_it_does_not_matter_where_the_network_cuts(self, places: list[int]) -> None:
        form, written, answers = read(cut(BODY, places))
        assert form.fields == {"name": "caf\u00e9"}
        assert form.file_names == {Part.FILE: 'a;"b.csv', Part.ANSWERS: "c.jsonl"}
        assert written == CONTENT.replace(b"--b\r\n", b"--c\r\n")
        assert answers == b"\r\nsecond\r\n"

    def test_byte_by_byte_is_the_same(self) -> None:
        assert read([bytes([byte]) for byte in BODY]) == read([BODY])

    @given(
        place=st.integers(0, len(BODY) - 1),
        junk=st.binary(max_size=9),
        header=st.sampled_from([HEADER, 'multipart/form-data; boundary=""', "multipart/form-data"])
        | st.text(st.characters(codec="latin-1"), max_size=30).map(HEADER.__add__),
    )
    def test_a_damaged_form_is_read_or_refused(self, place: int, junk: bytes, header: str) -> None:
        damaged = BODY[:place] + junk + BODY[place + len(junk) :]
        try:
            form, *_ = read([damaged], header)
        except ServiceError:
            return
        assert form.file_names[Part.FILE]

    def test_a_boundary_of_a_megabyte_is_refused(self) -> None:
        with pytest.raises(ServiceError):
            read([BODY], "multipart/form-data; boundary=" + "b" * 1024 * 1024)
