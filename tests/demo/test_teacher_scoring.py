"""The benchmark's ways ask for the same thing, and its table says who saved what."""

import numpy as np
import pytest
import torch

from benchmarks.scoring_task import ScoringTask, make_task
from benchmarks.scoring_ways import GENERATE, NAIVE, OURS, WAYS
from benchmarks.teacher_scoring import WayResult, as_markdown
from llkd.types import FloatArray


@pytest.fixture(scope="module")
def task() -> ScoringTask:
    torch.set_num_threads(1)
    return make_task(texts=2, text_tokens=10, prefix_tokens=1, layers=1, hidden=64, seed=1)


@pytest.fixture(scope="module")
def naive(task: ScoringTask) -> FloatArray:
    found = WAYS[NAIVE](task)
    assert found is not None
    return found


class TestWays:
    @pytest.mark.parametrize("name", [name for name in WAYS if name not in {NAIVE, GENERATE}])
    def test_each_finds_what_the_naive_one_finds(
        self, task: ScoringTask, naive: FloatArray, name: str
    ) -> None:
        found = WAYS[name](task)
        assert found is not None
        assert np.abs(found - naive).max() < 1e-4

    def test_labels_are_told_apart(self, naive: FloatArray) -> None:
        assert naive.shape == (2, 5)
        assert len(np.unique(naive.round(6))) == naive.size

    def test_generating_gives_no_probabilities(self, task: ScoringTask) -> None:
        assert WAYS[GENERATE](task) is None


class TestTable:
    def test_it_says_how_much_more_each_way_takes_than_ours(self) -> None:
        results = [
            WayResult(NAIVE, 300.0, 0.0, 0.0),
            WayResult(GENERATE, 70.0, None, None),
            WayResult(OURS, 10.0, 2e-7, 3e-6),
        ]
        table = as_markdown(results, {"prefix": 1000}, 250.0).splitlines()
        assert table[2] == f"| {NAIVE} | 300 | 30.0 | 0.0e+00 | 0.0e+00 |"
        assert table[3] == f"| {GENERATE} | 70 | 7.0 | - | - |"
        assert table[4] == f"| {OURS} | 10 | 1.0 | 2.0e-07 | 3.0e-06 |"
        assert table[-1] == "Tokens: prefix 1000. Once a teacher: 250 CPU-ms for prefix and trial."
