"""JSON lines, row by row."""

import pytest

from app.datasets.errors import MalformedRow, MissingColumn
from app.datasets.options import Columns, Format, OnBadRow
from app.datasets.rows import RawRow
from tests.app.datasets.reading.conftest import Read


class TestReadJsonl:
    def test_keys_are_columns_and_may_be_missing(self, read: Read) -> None:
        content = b'{"text": "a", "label": "x"}\r\n\r\n{"text": "b"}\n{"label": 1}'
        found = read(content, Format.JSONL, columns=Columns("text", "label"))
        assert found == [RawRow(1, "a", "x"), RawRow(3, "b"), RawRow(4, None, 1)]

    def test_other_values_are_handed_on_as_they_are(self, read: Read) -> None:
        columns = Columns("text", None, "t", "c", "p")
        content = b'{"text": "a", "t": "x", "c": 0.5, "p": {"x": 0.5}}'
        assert read(content, Format.JSONL, columns=columns) == [
            RawRow(1, "a", None, "x", 0.5, {"x": 0.5})
        ]

    def test_a_line_separator_inside_a_text_ends_no_line(self, read: Read) -> None:
        content = '{"text": "a\u2028b\u0085c"}\r\n'.encode()
        assert read(content, Format.JSONL) == [RawRow(1, "a\u2028b\u0085c")]

    @pytest.mark.parametrize(
        ("line", "says"),
        [
            (b"{", "not JSON"),
            (b"[]", "a list where an object"),
            (b"null", "null where an object"),
            (b"true", "a boolean where an object"),
            (b"3", "a number where an object"),
            (b'{"text": 3}', "'text' is a number"),
            (b'{"text": ["a"]}', "'text' is a list"),
            (b'{"text": false}', "'text' is a boolean"),
            (b'{"text": "a", "n": Infinity}', "Infinity is not a JSON number"),
            (b'{"text": "a", "n": {"k": 1, "k": 2}}', "a key appears twice"),
            (b'{"text": "a", "n": ' + b"[" * 5000, "nested too deeply"),
            (b'{"text": "a", "n": ' + b"9" * 5000 + b"}", "too many digits"),
        ],
    )
    def test_a_bad_line_is_told_or_set_aside(self, read: Read, line: bytes, says: str) -> None:
        content = b'{"text": "good"}\n' + line + b"\n"
        with pytest.raises(MalformedRow, match=r"^Line 2: ") as raised:
            read(content, Format.JSONL)
        assert says in raised.value.detail
        found = read(content, Format.JSONL, on_bad_row=OnBadRow.SKIP)
        assert [(row.line, type(row).__name__) for row in found] == [(1, "RawRow"), (2, "Issue")]

    def test_a_column_that_no_row_has_is_missing(self, read: Read) -> None:
        with pytest.raises(MissingColumn, match=r"'gold'.* 'text', 'label'"):
            read(b'{"text": "a", "label": 1}', Format.JSONL, columns=Columns("text", "gold"))
