from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core import dataset_files
from core.dataset_files import (
    ROWS_SCHEMA,
    count_rows,
    draw_gold_texts,
    draw_texts,
    iter_batches,
    iter_texts,
    read_page,
)

ROWS = 10
GROUP = 4


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Ten rows in groups of 4, 4 and 2."""
    rows = [
        {"text": f"text {number}", "copies": 1, "line": number + 2, "gold": None}
        for number in range(ROWS)
    ]
    file = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=ROWS_SCHEMA), file, row_group_size=GROUP)
    return file


class TestReadPage:
    @pytest.mark.parametrize(
        ("offset", "limit"),
        [(0, 1), (0, 4), (0, 10), (3, 2), (4, 4), (3, 6), (9, 1), (9, 5), (0, 100)],
    )
    def test_a_page_is_that_part_of_the_file(self, path: Path, offset: int, limit: int) -> None:
        page = read_page(path, offset=offset, limit=limit)
        wanted = range(offset, min(offset + limit, ROWS))
        assert [entry["index"] for entry in page] == list(wanted)
        assert [entry["text"] for entry in page] == [f"text {number}" for number in wanted]

    def test_an_entry_has_every_column_and_its_place(self, path: Path) -> None:
        [entry] = read_page(path, offset=5, limit=1)
        assert entry == {
            "index": 5,
            "text": "text 5",
            "copies": 1,
            "line": 7,
            "gold": None,
            "teacher_label": None,
            "teacher_confidence": None,
            "teacher_probabilities": None,
            "teacher_votes": None,
        }

    def test_beyond_the_end_is_an_empty_page(self, path: Path) -> None:
        assert read_page(path, offset=10, limit=5) == []
        assert read_page(path, offset=1000, limit=5) == []

    def test_only_the_groups_of_the_page_are_read(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read: list[int] = []
        original = pq.ParquetFile.read_row_group

        def noted(file: pq.ParquetFile, group: int) -> pa.Table:
            read.append(group)
            return original(file, group)

        monkeypatch.setattr(pq.ParquetFile, "read_row_group", noted)
        read_page(path, offset=5, limit=2)
        assert read == [1]


class TestWholeFile:
    def test_rows_are_counted_from_the_footer(self, path: Path) -> None:
        assert count_rows(path) == ROWS

    def test_batches_hold_all_rows_once_in_order(self, path: Path) -> None:
        batches = list(iter_batches(path, columns=["text", "line"], size=3))
        assert max(len(batch) for batch in batches) == 3
        rows = [row for batch in batches for row in batch]
        assert rows == [{"text": f"text {n}", "line": n + 2} for n in range(ROWS)]


class TestTextsFromAPlaceOn:
    @pytest.mark.parametrize("start", range(ROWS + 1))
    @pytest.mark.parametrize("size", [1, 3, GROUP, ROWS + 1])
    def test_are_those_after_it_in_equal_batches(self, path: Path, start: int, size: int) -> None:
        batches = list(iter_texts(path, start=start, size=size))
        wanted = [f"text {number}" for number in range(start, ROWS)]
        assert [text for batch in batches for text in batch] == wanted
        assert all(len(batch) == size for batch in batches[:-1])

    def test_groups_before_it_are_not_read(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read: list[int] = []
        whole = pq.ParquetFile.read_row_group

        def spy(file: pq.ParquetFile, group: int, **given: object) -> pa.Table:
            read.append(group)
            return whole(file, group, **given)

        monkeypatch.setattr(pq.ParquetFile, "read_row_group", spy)
        list(iter_texts(path, start=2 * GROUP, size=3))
        assert read == [2]


class TestDrawingTexts:
    def test_the_same_different_texts_come_each_time(self, path: Path) -> None:
        drawn = draw_texts(path, most=6)
        assert len(set(drawn)) == 6
        assert drawn == draw_texts(path, most=6)
        assert drawn != [f"text {number}" for number in range(6)]

    def test_a_small_file_is_drawn_whole(self, path: Path) -> None:
        assert draw_texts(path, most=100) == [f"text {number}" for number in range(ROWS)]

    def test_only_some_groups_of_a_long_file_are_read(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dataset_files, "DRAWN_GROUPS", 2)
        assert len(draw_texts(path, most=100)) in {6, 8}

    def test_only_texts_with_gold_are_drawn_among_those(self, path: Path) -> None:
        assert draw_gold_texts(path, most=100) == []
        table = pq.read_table(path)
        gold = pa.array(["a", None] * 5, pa.string())
        pq.write_table(table.set_column(3, "gold", gold), path, row_group_size=GROUP)
        assert draw_gold_texts(path, most=100) == [f"text {number}" for number in range(0, ROWS, 2)]
