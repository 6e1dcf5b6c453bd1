"""Label files are read back as they were written, those of earlier releases too."""

from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq

from core.label_files import LabelEntry, Role, iter_labels, read_page, write_labels

ENTRIES = [
    LabelEntry(
        Role.TRAIN,
        "answered",
        label="a",
        probabilities=[0.9, 0.1],
        confidence=0.9,
        confidence_source="provided",
        calibration_id="3f9a1c07be52",
    ),
    LabelEntry(Role.EVALUATION, "missing"),
]


class TestLabelFiles:
    def test_entries_come_back_in_order(self, tmp_path: Path) -> None:
        path = tmp_path / "labels.parquet"
        assert write_labels(path, [ENTRIES[:1], ENTRIES[1:]]) == 2
        written = [asdict(entry) for entry in ENTRIES]
        assert [entry for chunk in iter_labels(path) for entry in chunk] == written
        assert read_page(path, offset=1, limit=5) == [{"index": 1, **written[1]}]

    def test_files_without_a_calibration_read_as_not_calibrated(self, tmp_path: Path) -> None:
        path, old = tmp_path / "labels.parquet", tmp_path / "old.parquet"
        write_labels(path, [ENTRIES])
        pq.write_table(pq.read_table(path).drop_columns(["calibration_id"]), old)
        expected = [asdict(entry) | {"calibration_id": None} for entry in ENTRIES]
        assert list(iter_labels(old)) == [expected]
        assert read_page(old, offset=0, limit=1) == [{"index": 0, **expected[0]}]
        assert [LabelEntry(**entry) for chunk in iter_labels(old) for entry in chunk][1] == ENTRIES[
            1
        ]
