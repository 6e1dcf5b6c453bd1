"""Both answers to the same rows, as they are kept."""

from pathlib import Path

import numpy as np
import pytest

from core.measured_files import Measured, read_measured, write_measured


def measured() -> Measured:
    nan = float("nan")
    return Measured(
        index=np.array([3, 5, 8, 13, 21]),
        gold=np.array([0, -1, 1, 0, 1]),
        teacher=np.array([0, 1, -1, 1, 0]),
        confidence=np.array([0.9, nan, nan, 0.6, 0.95]),
        student=np.array([0, 0, 1, 0, 1]),
        score=np.array([0.8, 0.5, 0.9, 0.99, 0.7]),
    )


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_measured(tmp_path / "file", measured())
    found = read_measured(tmp_path / "file")
    for name, values in vars(measured()).items():
        np.testing.assert_array_equal(getattr(found, name), values)
        assert getattr(found, name).dtype == values.dtype


def test_a_file_without_rows_is_one(tmp_path: Path) -> None:
    none = Measured(**{name: values[:0] for name, values in vars(measured()).items()})
    write_measured(tmp_path / "file", none)
    found = read_measured(tmp_path / "file")
    assert (found.compared, len(found.disagreements())) == (0, 0)


def test_the_surest_disagreement_comes_first() -> None:
    """As sure as the less sure of the two; a confidence that is not known has no say."""
    found = measured()
    assert found.compared == 4
    assert found.disagreements().tolist() == [4, 3, 1]
    least = np.fmin(found.confidence, found.score)[found.disagreements()]
    assert least.tolist() == pytest.approx([0.7, 0.6, 0.5])
