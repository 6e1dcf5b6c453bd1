"""Parquet, row by row."""

import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from app.datasets.errors import BadDataset, TooManyRows, UnsupportedParquet, WrongColumnType
from app.datasets.ingest import run_ingest
from app.datasets.options import Columns, Format, ReadOptions
from app.datasets.reading import parquet
from app.datasets.rows import RawRow
from app.datasets.values import BadValue, read_probabilities
from tests.app.datasets.files import TEXTS, parquet_file
from tests.app.datasets.reading.conftest import Read


class TestReadParquet:
    @pytest.mark.parametrize(
        "kind",
        [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())],
        ids=str,
    )
    def test_every_kind_of_string_is_text(self, read: Read, kind: Any) -> None:
        content = parquet_file({"text": pa.array(["a", None, "b", "a"]).cast(kind)})
        assert read(content, Format.PARQUET) == [
            RawRow(1, "a"),
            RawRow(2, None),
            RawRow(3, "b"),
            RawRow(4, "a"),
        ]

    @pytest.mark.parametrize(
        ("part", "values"),
        [
            ("label", [0.5]),
            ("teacher_label", [[1]]),
            ("teacher_confidence", [{"a": 1}]),
            ("teacher_probabilities", [0.5]),
            ("teacher_probabilities", [["a"]]),
            ("teacher_votes", [1]),
            ("teacher_votes", [[0.5]]),
            ("teacher_votes", [[["a"]]]),
            ("teacher_probabilities", [{"a": "0.5"}]),
            # Values that Python may have no like of.
            *(
                ("teacher_votes", pa.array([{"a": 2**62}], pa.struct({"a": kind})))
                for kind in (pa.timestamp("us"), pa.timestamp("ns"), pa.duration("s"))
            ),
            ("teacher_votes", pa.array([{"a": 1}], pa.struct({"a": pa.time64("ns")}))),
            ("teacher_votes", pa.StructArray.from_arrays([[1], [2]], names=["a", "a"])),
            ("teacher_votes", pa.array([[([1], 1)]], pa.map_(pa.list_(pa.int8()), pa.int8()))),
        ],
    )
    def test_a_column_of_another_type_is_refused(self, read: Read, part: str, values: Any) -> None:
        content = parquet_file({"text": ["a"], "x": values})
        with pytest.raises(WrongColumnType, match="'x'"):
            read(content, Format.PARQUET, columns=Columns(**{"text": "text", part: "x"}))

    def test_one_column_may_play_two_parts(self, read: Read) -> None:
        content = parquet_file({"text": ["a"], "x": ["b"]})
        columns = Columns("text", label="x", teacher_label="x")
        assert read(content, Format.PARQUET, columns=columns) == [RawRow(1, "a", "b", "b")]

    def test_a_map_of_probabilities_is_an_object(self, read: Read) -> None:
        maps = pa.array([[("a", 0.5), ("b", 0.5)]], pa.map_(pa.string(), pa.float64()))
        content = parquet_file({"text": ["a"], "p": maps})
        columns = Columns("text", teacher_probabilities="p")
        assert read(content, Format.PARQUET, columns=columns) == [
            RawRow(1, "a", teacher_probabilities={"a": 0.5, "b": 0.5})
        ]

    def test_a_map_with_a_label_twice_is_no_object(self, read: Read) -> None:
        pairs = [("a", 0.5), ("a", 1.0)]
        maps = pa.array([pairs, [("b", 1.0)]], pa.map_(pa.string(), pa.float64()))
        content = parquet_file({"text": ["a", "b"], "p": maps})
        columns = Columns("text", teacher_probabilities="p")
        first, second = read(content, Format.PARQUET, columns=columns)
        assert isinstance(first, RawRow)
        assert isinstance(second, RawRow)
        assert first.teacher_probabilities == pairs
        with pytest.raises(BadValue):
            read_probabilities(first.teacher_probabilities)
        assert second.teacher_probabilities == {"b": 1.0}

    def test_row_groups_join_without_gaps(self, read: Read) -> None:
        content = parquet_file({"text": [str(n) for n in range(10_000)]}, row_group_size=999)
        found = read(content, Format.PARQUET)
        assert found == [RawRow(n + 1, str(n)) for n in range(10_000)]

    def test_countless_row_groups_are_refused(
        self, read: Read, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(parquet, "MAX_ROW_GROUPS", 9)
        with pytest.raises(UnsupportedParquet, match="10 row groups"):
            read(parquet_file({"text": TEXTS[:10]}, row_group_size=1), Format.PARQUET)

    def test_too_many_rows_are_refused_by_the_footer(
        self, read: Read, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(parquet, "MAX_ROWS", 9)
        with pytest.raises(TooManyRows):
            read(parquet_file({"text": TEXTS[:10]}), Format.PARQUET)


class TestReadADamagedFile:
    @pytest.mark.parametrize("seed", range(12))
    def test_it_is_read_or_refused_and_never_our_fault(self, tmp_path: Path, seed: int) -> None:
        dice = random.Random(seed)
        content = bytearray(parquet_file({"text": TEXTS, "label": TEXTS}))
        for _ in range(dice.randint(1, 8)):
            content[dice.randrange(4, len(content) - 4)] = dice.randrange(256)
        path = tmp_path / "source"
        path.write_bytes(content)
        options = ReadOptions(Format.PARQUET, columns=Columns("text", "label"))
        # Anything else than a refusal would be a 500.
        with suppress(BadDataset):
            assert run_ingest(path, tmp_path, options)["rows"] == len(TEXTS)
