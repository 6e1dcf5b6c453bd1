"""Where decoding fails, to the byte, and what unpacking may not become."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.datasets.errors import DecompressionLimit
from app.datasets.options import Encoding, Format, ReadOptions
from app.datasets.reading import opening
from app.datasets.reading.factory import make_reader
from app.datasets.reading.opening import locate_encoding_error

BROKEN = [
    (Encoding.UTF_8, b"\xff"),
    (Encoding.UTF_8, b"\xe2\x82"),
    (Encoding.UTF_8, b"\xed\xa0\x80"),
    (Encoding.UTF_16_LE, b"\x00\xdc"),
    (Encoding.UTF_16_BE, b"\xdc\x00"),
    (Encoding.CP1252, b"\x81"),
    (Encoding.SHIFT_JIS, b"\xff"),
    (Encoding.EUC_KR, b"\xff"),
    (Encoding.GB18030, b"\xff"),
    (Encoding.BIG5, b"\xff"),
]


class TestLocateEncodingError:
    @pytest.mark.parametrize(("encoding", "bad"), BROKEN)
    @pytest.mark.parametrize("before", range(9))
    def test_it_names_the_byte_wherever_blocks_end(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        encoding: Encoding,
        bad: bytes,
        before: int,
    ) -> None:
        monkeypatch.setattr(opening, "CHUNK", 4)
        content = ("ab" * before)[:before].encode(encoding) + bad + "cd".encode(encoding)
        with pytest.raises(UnicodeDecodeError) as raised:
            content.decode(encoding)
        path = tmp_path / "source"
        path.write_bytes(content)
        error = locate_encoding_error(path, ReadOptions(Format.TXT, encoding=encoding))
        assert error.detail.startswith(f"Byte {raised.value.start} (")

    @pytest.mark.parametrize(
        ("content", "offset"),
        [
            (b"\xef\xbb\xbfabc\xff", 6),
            (b"\xff\xfea\0b\0\0\xdc", 6),
            (b"\xfe\xff\0a\0b\xdc\0", 6),
            (b"abc\xe2\x82", 3),
        ],
    )
    def test_a_byte_order_mark_counts(self, tmp_path: Path, content: bytes, offset: int) -> None:
        path = tmp_path / "source"
        path.write_bytes(content)
        error = locate_encoding_error(path, ReadOptions(Format.TXT))
        assert error.detail.startswith(f"Byte {offset} (")

    def test_a_fault_beyond_many_blocks_is_found_in_a_packed_file(self, tmp_path: Path) -> None:
        path = tmp_path / "source"
        path.write_bytes(gzip.compress("é".encode() * 3_000_000 + b"\xe9\n"))
        error = locate_encoding_error(path, ReadOptions(Format.TXT, packed=True))
        assert error.detail.startswith("Byte 6000000 (0xe9)")


class TestUnpack:
    def test_an_absolute_limit_holds_whatever_the_ratio(self, tmp_path: Path) -> None:
        path = tmp_path / "source"
        path.write_bytes(gzip.compress(b"abc\n" * 1000))
        options = ReadOptions(Format.TXT, packed=True, max_unpacked_bytes=3999)
        with pytest.raises(DecompressionLimit, match="3999"):
            list(make_reader(path, options).rows())

    def test_members_one_after_another_are_one_file(self, tmp_path: Path) -> None:
        path = tmp_path / "source"
        path.write_bytes(gzip.compress(b"a\nb") + gzip.compress(b"c\n"))
        rows = list(make_reader(path, ReadOptions(Format.TXT, packed=True)).rows())
        assert [(row.line, row[1]) for row in rows] == [(1, "a"), (2, "bc")]


@given(text=st.text(st.characters(codec="utf-8"), min_size=1))
def test_what_was_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "written"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    rows = list(make_reader(path, ReadOptions(Format.TXT)).rows())
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    assert [row[1] for row in rows] == lines
