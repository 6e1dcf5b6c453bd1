"""Summaries over seeds, growth of cost, and peaks of memory are computed as they are named."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks.memory import children_of, peak_rss
from benchmarks.scale import SizeResult, growth_exponents, growth_verdict
from benchmarks.short_texts import short_texts
from benchmarks.summary import SeededRow, as_summary_table
from demo.results import Measured, student_row
from tests.demo import recorded
from tests.demo.test_results import printed

MIB = 2**20


def size_result(rows: int, *, train_s: float) -> SizeResult:
    return SizeResult(rows, {"upload": 0.1, "train": train_s}, {"api": 100 * MIB}, rows // 4)


class TestGrowth:
    def test_ten_times_the_rows_in_ten_times_the_time_is_linear(self) -> None:
        results = [size_result(1000, train_s=5.0), size_result(10_000, train_s=50.0)]
        assert growth_exponents(results) == {"train": pytest.approx(1.0)}
        assert growth_verdict(results).startswith("Cost grows linearly or slower")

    def test_a_quadratic_stage_is_named(self) -> None:
        results = [size_result(1000, train_s=1.0), size_result(10_000, train_s=100.0)]
        assert growth_exponents(results)["train"] == pytest.approx(2.0)
        assert "faster than linearly in train" in growth_verdict(results)

    def test_one_size_says_nothing_of_growth(self) -> None:
        assert "one size" in growth_verdict([size_result(1000, train_s=5.0)])


class TestSummary:
    def test_figures_are_means_with_their_spread_over_seeds(self) -> None:
        row = student_row(recorded.read_report(), name="llkd")
        better = replace(row, macro_f1=Measured(0.76, 0.74, 0.78))
        text = printed(as_summary_table([SeededRow(1, row), SeededRow(2, better)], title="set"))
        assert "75.0 ± 1.4" in text
        assert "seeds [1, 2]" in text
        assert "3,104" in text


class TestShortTexts:
    def test_all_of_them_differ_and_a_seed_repeats_them(self) -> None:
        texts = list(short_texts(3000, seed=1))
        assert len(set(texts)) == 3000
        assert texts == list(short_texts(3000, seed=1))


class TestMemory:
    def test_a_childs_peak_includes_what_it_has_freed(self) -> None:
        code = "block = bytearray(80 << 20); del block; print('ready', flush=True); input()"
        child = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with child:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            assert child.pid in children_of(os.getpid())
            assert peak_rss(child.pid) > 80 * MIB
            child.kill()
        assert peak_rss(child.pid) == 0
