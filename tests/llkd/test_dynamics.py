"""What is kept of a student's readings of each text."""

from pathlib import Path

import numpy as np
import pytest

from llkd.dynamics import Dynamics


@pytest.fixture
def dynamics() -> Dynamics:
    kept = Dynamics(4)
    kept.observe(np.array([2, 0]), np.array([1, 0]), np.array([[0.7, 0.3, 0.0], [0.5, 0.25, 0.25]]))
    kept.observe(np.array([2]), np.array([1]), np.array([[0.1, 0.9, 0.0]]))
    return kept


def test_readings_of_each_text_are_counted_apart(dynamics: Dynamics) -> None:
    assert dynamics.readings.tolist() == [1, 0, 2, 0]
    assert dynamics.agreed.tolist() == [1, 0, 1, 0]


def test_the_last_answer_is_kept_with_its_probability(dynamics: Dynamics) -> None:
    assert dynamics.predicted.tolist() == [0, -1, 1, -1]
    assert dynamics.top.tolist() == [0.5, 0.0, 0.9, 0.0]


def test_the_likelihood_is_the_mean_of_the_pseudo_labels_probability(dynamics: Dynamics) -> None:
    assert dynamics.likelihood == pytest.approx([0.5, np.nan, 0.6, np.nan], nan_ok=True)
    assert dynamics.spread == pytest.approx([0.0, np.nan, 0.3, np.nan], nan_ok=True)


def test_they_survive_a_file_exactly(dynamics: Dynamics, tmp_path: Path) -> None:
    dynamics.save(tmp_path / "dynamics.npz")
    again = Dynamics.load(tmp_path / "dynamics.npz")
    for name, array in vars(dynamics).items():
        assert vars(again)[name].tolist() == array.tolist()
        assert vars(again)[name].dtype == array.dtype
