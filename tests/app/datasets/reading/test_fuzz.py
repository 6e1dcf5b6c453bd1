"""Whatever the bytes: rows come, or a refusal of ours does."""

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from app.datasets.cleaning import Cleaner
from app.datasets.errors import BadDataset
from app.datasets.options import Columns, Encoding, Format, OnBadRow, ReadOptions
from app.datasets.reading.factory import make_reader
from app.datasets.reading.located import located_rows
from app.datasets.rows import Issue

COLUMNS = Columns("text", "label", "guess", "sure", "scores", "votes")
HEADER = "text,label,guess,sure,scores,votes\n"
CSV_BITS = st.sampled_from(['"', ",", "\n", "\r", "\r\n", "\0", "a", "é", "\u2028", " ", '""', "'"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
ROW = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("text", "label", "guess", "sure", "scores", "votes"), JSON)
)
OPTIONS = st.builds(
    ReadOptions,
    format=st.sampled_from([Format.CSV, Format.TSV, Format.JSONL, Format.TXT]),
    columns=st.sampled_from([COLUMNS, Columns()]),
    packed=st.booleans(),
    encoding=st.sampled_from(Encoding),
    delimiter=st.sampled_from([None, ";", "\t"]),
    on_bad_row=st.sampled_from(OnBadRow),
)


def read_through(content: bytes, options: ReadOptions) -> int:
    """How many rows came, each cleaned; 0 for a file that was refused."""
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(content)
        cleaner = Cleaner(options.columns, note=lambda issue: None)
        count = 0
        try:
            for row in located_rows(make_reader(Path(file.name), options)):
                if not isinstance(row, Issue):
                    cleaner.clean(row)
                count += 1
        except BadDataset:
            return 0
        return count


class TestAnyBytes:
    @given(content=st.binary(max_size=300), options=OPTIONS)
    def test_they_are_read_or_refused(self, content: bytes, options: ReadOptions) -> None:
        read_through(content, options)

    @given(bits=st.lists(CSV_BITS, max_size=40), policy=st.sampled_from(OnBadRow))
    def test_torn_csv_is_read_or_refused(self, bits: list[str], policy: OnBadRow) -> None:
        content = (HEADER + "".join(bits)).encode()
        read_through(content, ReadOptions(Format.CSV, COLUMNS, on_bad_row=policy))

    @settings(max_examples=300)
    @given(rows=st.lists(ROW, max_size=4))
    def test_any_values_in_json_lines_cost_their_row_at_most(
        self, rows: list[dict[str, object]]
    ) -> None:
        everything = dict.fromkeys(("label", "guess", "sure", "scores", "votes"), "")
        lines = "\n".join(json.dumps(row) for row in [{"text": "a", **everything}, *rows])
        options = ReadOptions(Format.JSONL, COLUMNS, on_bad_row=OnBadRow.SKIP)
        assert read_through(lines.encode(), options) == len(rows) + 1
