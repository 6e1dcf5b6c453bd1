"""What the serving benchmark prints is computed as it is named."""

import math
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.in_process import Limit
from benchmarks.process_tree import (
    cpu_seconds,
    paused,
    resident_bytes,
    resident_of,
    ticks_of,
    tree_of,
)
from benchmarks.rounds import turns
from benchmarks.serving_drift import Drift, compare
from benchmarks.serving_figures import (
    Burst,
    LoadShape,
    cost_ratio,
    figures,
    percentile,
    speed_ratio,
    spread,
)
from benchmarks.serving_tables import drift_table, load_table, target_table
from benchmarks.serving_targets import ALONE, MANY, Rounds, verdicts

MIB = 2**20


def burst(requests: int, *, latency_s: float = 0.01, cpu_s: float = 1.0, errors: int = 0) -> Burst:
    return Burst(
        latencies_s=[latency_s] * requests,
        errors=errors,
        wall_s=2.0,
        server_cpu_s=cpu_s,
        generator_cpu_s=0.1,
    )


class TestPercentile:
    def test_it_is_one_of_the_values_that_enough_do_not_exceed(self) -> None:
        assert percentile([4.0, 1.0, 3.0, 2.0], 0.5) == 2.0
        assert percentile(list(range(1, 101)), 0.99) == 99
        assert percentile([7.0], 0.99) == 7.0

    def test_of_nothing_there_is_none(self) -> None:
        assert math.isnan(percentile([], 0.5))
        assert math.isnan(spread([]).median)


class TestFigures:
    def test_requests_and_cost_are_of_what_was_answered(self) -> None:
        found = figures([burst(100, errors=3), burst(200)], LoadShape(4, texts=2))
        assert found.per_second.median == 75.0
        assert found.cpu_ms_a_text.median == pytest.approx((5.0 + 2.5) / 2)
        assert (found.errors, found.p50_ms, found.generator_share) == (3, 10.0, 0.05)

    def test_a_server_that_answers_nothing_costs_without_end(self) -> None:
        assert math.isinf(burst(0).cpu_ms_a_text(1))


class TestRatios:
    def test_each_round_is_compared_with_itself(self) -> None:
        # The machine was half as fast in the second round, for both.
        ours, theirs = [burst(200), burst(100)], [burst(100), burst(50)]
        found = speed_ratio(ours, theirs)
        assert (found.median, found.low, found.high) == (2.0, 2.0, 2.0)
        assert cost_ratio(ours, theirs, LoadShape(1)).median == 2.0

    def test_rounds_that_do_not_pair_are_refused(self) -> None:
        with pytest.raises(ValueError, match="zip"):
            speed_ratio([burst(1)], [])


class TestTurns:
    def test_everyone_comes_once_a_round_and_first_once_in_all(self) -> None:
        rounds = [turns(3, number) for number in range(3)]
        assert all(sorted(each) == [0, 1, 2] for each in rounds)
        assert sorted(each[0] for each in rounds) == [0, 1, 2]


def becomes(state: str, pids: list[int]) -> bool:
    """Whether all of them get into this state within some seconds."""
    give_up_at = time.monotonic() + 10
    while time.monotonic() < give_up_at:
        stats = [Path(f"/proc/{pid}/stat").read_text(encoding="utf-8") for pid in pids]
        if all(f") {state} " in stat for stat in stats):
            return True
        time.sleep(0.01)
    return False


class TestProcessTree:
    def test_a_name_with_spaces_and_parentheses_hides_no_field(self) -> None:
        assert ticks_of("7 (a b) c) S 1 7 7 0 -1 4194304 9 0 0 0 31 11 5 6 20 0 1 0") == 42

    def test_resident_memory_is_read_in_bytes(self) -> None:
        assert resident_of("Name:\tx\nVmRSS:\t   2048 kB\nThreads:\t1\n") == 2 * MIB
        assert resident_of("Name:\tx\nState:\tZ (zombie)\n") == 0

    def test_a_tree_counts_its_grandchildren(self) -> None:
        spin = "sum(range(10**7)); print('spun', flush=True); input()"
        code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {spin!r}])"
        with subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"spun\n"
            tree = tree_of(child.pid)
            assert len(tree) == 2
            assert child.pid in tree_of(os.getpid())
            assert cpu_seconds(child.pid) > cpu_seconds(tree[1]) > 0
            assert resident_bytes(child.pid) > resident_bytes(tree[1]) > MIB
            with paused([child.pid]):
                assert becomes("T", tree)
            assert becomes("S", tree)
            child.communicate(b"\n")


class TestDrift:
    def test_alone_is_held_against_float32_and_mixed_against_alone(self) -> None:
        reference = np.array([[0.9, 0.1], [0.4, 0.6]])
        alone = np.array([[0.88, 0.12], [0.55, 0.45]])
        mixed = np.array([[0.88, 0.12], [0.45, 0.55], [0.55, 0.45]])
        found = compare(alone, mixed, places=np.array([0, 1, 1]), reference=reference)
        assert (found.agreement, found.mixed, found.flips) == (0.5, 3, 1)
        assert found.off_by == pytest.approx(0.15)
        assert found.moved_by == pytest.approx(0.1)


class TestTargets:
    def rounds(self) -> Rounds:
        return {
            ("ours", ALONE): [burst(100)] * 2,
            ("ours", MANY): [burst(300)] * 2,
            ("infinity_onnx", MANY): [burst(100)] * 2,
            ("naive_pipeline", MANY): [burst(100)] * 2,
        }

    def test_what_is_reached_is_met_and_what_is_not_is_not(self) -> None:
        drifts = {"ours": Drift(0.995, 0.004, 1600, 0, 0.002)}
        limits = [Limit(cpu_ms_a_text=3.0, cpu_ms_of_waiting=3.2, latencies_s=[0.008])]
        met = {each.target: each.met for each in verdicts(self.rounds(), limits, drifts)}
        assert met["≥ 2.5 x infinity_onnx's requests/s at c=32"] is True
        assert met["≥ 5 x naive_pipeline's requests/s at c=32"] is False
        assert met["≥ 80 % of the engine's texts a CPU-second at c=32"] is True
        assert met["p50 at c=1 ≤ 1.5 x the engine's"] is True
        assert met["alone and in mixed batches: no flip, Δp ≤ 0.01"] is True

    def test_one_flip_is_too_many(self) -> None:
        drifts = {"ours": Drift(1.0, 0.0, 1600, 1, 0.009)}
        (flips,) = [each for each in verdicts({}, [], drifts) if "flip" in each.target]
        assert flips.met is False

    def test_a_peer_that_was_left_out_says_nothing(self) -> None:
        found = verdicts(self.rounds(), [], {})
        (torch,) = [each for each in found if "infinity_torch" in each.target]
        assert (torch.measured, torch.met) == ("not measured", None)


class TestTables:
    def test_ratios_stand_beside_others_and_not_beside_us(self) -> None:
        rounds = {("ours", MANY): [burst(300)], ("naive", MANY): [burst(100, errors=2)]}
        lines = load_table(rounds, MANY).splitlines()
        assert lines[2] == "| ours | 150.0 | 10.0 | 10.0 | 3.33 | - | - | 0 |"
        assert lines[3].startswith("| naive | 50.0 | 10.0 | 10.0 | 10.00 | 3.00 x (3.00-3.00) |")
        assert lines[3].endswith("| 2 |")

    def test_drift_and_targets_have_a_line_each(self) -> None:
        drift = Drift(0.995, 0.004, 1600, 2, 0.002)
        last = drift_table({"ours": drift}).splitlines()[-1]
        assert last == "| ours | 99.5% | 4.0e-03 | 2 of 1600 | 2.0e-03 |"
        assert len(target_table(verdicts({}, [], {})).splitlines()) == 2 + 14
