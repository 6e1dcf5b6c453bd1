"""Delimited text, row by row."""

import pytest

from app.datasets.errors import BadDataset, LineTooLong, MalformedRow
from app.datasets.options import Columns, Format, OnBadRow
from app.datasets.rows import Issue, RawRow
from tests.app.datasets.reading.conftest import Read


class TestReadCsv:
    def test_a_row_knows_the_line_where_it_begins(self, read: Read) -> None:
        content = b'text\n"two\nlines"\nnext\r\n"a\r\nb"\rlast\n'
        assert read(content, Format.CSV) == [
            RawRow(2, "two\nlines"),
            RawRow(4, "next"),
            RawRow(5, "a\r\nb"),
            RawRow(7, "last"),
        ]

    def test_quotes_are_doubled_inside_quotes(self, read: Read) -> None:
        content = b'text,other\n"a ""b"", c",1\nit\'s 5" wide,2\n'
        assert read(content, Format.CSV) == [RawRow(2, 'a "b", c'), RawRow(3, "it's 5\" wide")]

    def test_columns_are_found_by_name_wherever_they_stand(self, read: Read) -> None:
        content = b"p,g,text,c,t\n{},gold,hello,0.5,guess\n"
        columns = Columns("text", "g", "t", "c", "p")
        found = read(content, Format.CSV, columns=columns)
        assert found == [RawRow(2, "hello", "gold", "guess", "0.5", "{}")]

    def test_names_are_compared_as_they_look(self, read: Read) -> None:
        content = "  cafe\u0301 ,x\na,b\n".encode()
        assert read(content, Format.CSV, columns=Columns("caf\u00e9")) == [RawRow(2, "a")]

    def test_a_tsv_is_split_at_tabs_and_quoted_like_csv(self, read: Read) -> None:
        assert read(b'id\ttext\n1\t"a\tb"\n', Format.TSV) == [RawRow(2, "a\tb")]

    def test_blank_lines_are_no_rows_also_before_the_header(self, read: Read) -> None:
        assert read(b"\n\ntext\n\na\n\n", Format.CSV) == [RawRow(5, "a")]

    def test_reading_goes_on_after_a_row_that_was_skipped(self, read: Read) -> None:
        content = b'id,text\n1\n2,b\n3,"c"d\n4,e\n'
        found = read(content, Format.CSV, on_bad_row=OnBadRow.SKIP)
        assert [row if isinstance(row, RawRow) else row.line for row in found] == [
            2,
            RawRow(3, "b"),
            4,
            RawRow(5, "e"),
        ]
        assert isinstance(found[0], Issue)
        assert (found[0].code, found[0].message) == (
            "malformed-row",
            "1 fields where the header has 2",
        )

    def test_a_field_may_span_a_thousand_lines_and_no_more(self, read: Read) -> None:
        def spanning(lines: int) -> bytes:
            return b'text\n"' + b"\n".join([b"a"] * lines) + b'"\n'

        assert len(read(spanning(1000), Format.CSV)) == 1
        with pytest.raises(MalformedRow, match="Line 2: a quote that opens here"):
            read(spanning(1001), Format.CSV)

    def test_an_endless_line_is_not_held_in_memory(self, read: Read) -> None:
        content = b"text,x\n" + b"a," * 5 * 1024 * 1024
        with pytest.raises(LineTooLong, match="Line 2"):
            read(content, Format.CSV)

    @pytest.mark.parametrize("row", [b'"a"b', b'"a', b'a,"b\n'])
    def test_a_bad_quote_names_its_line(self, read: Read, row: bytes) -> None:
        with pytest.raises(BadDataset) as raised:
            read(b"text\ngood\n" + row, Format.CSV)
        assert raised.value.errors[0].pointer == "line:3"
