"""What serving is held to: each target with what was measured and whether it is met."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.contenders import OURS
from benchmarks.in_process import Limit
from benchmarks.serving_drift import Drift
from benchmarks.serving_figures import (
    Burst,
    LoadShape,
    Spread,
    cost_ratio,
    figures,
    percentile,
    speed_ratio,
    spread,
)

ALONE, EIGHT, MANY = LoadShape(1), LoadShape(8), LoadShape(32)
MOST_MOVED = 0.01
LEAST_AGREEMENT = 0.99

Rounds = Mapping[tuple[str, LoadShape], Sequence[Burst]]


@dataclass(frozen=True)
class Verdict:
    """One row of the table; `met` is None where nothing was measured."""

    target: str
    measured: str
    met: bool | None


# Peer, load, and how many times as many requests a second we want to answer.
SPEEDS = (
    ("infinity_onnx", ALONE, 2.0),
    ("infinity_onnx", EIGHT, 2.0),
    ("infinity_onnx", MANY, 2.5),
    ("infinity_onnx_int8", ALONE, 2.0),
    ("infinity_onnx_int8", EIGHT, 2.0),
    ("infinity_onnx_int8", MANY, 2.5),
    ("infinity_torch", MANY, 4.0),
    ("naive_pipeline", MANY, 5.0),
)
# How many times as much CPU a text may cost the peer at c=32, at the least.
COSTS = (("litserve_tuned", 1.5),)


def verdicts(rounds: Rounds, limits: Sequence[Limit], drifts: Mapping[str, Drift]) -> list[Verdict]:
    """Every target; of peers and loads that were left out, that they were."""
    found = [_faster(rounds, *wanted) for wanted in SPEEDS]
    found += [_cheaper(rounds, *wanted) for wanted in COSTS]
    found += [_near_limit(rounds, limits), _quick_alone(rounds, limits), _steady(rounds)]
    return found + _true_to_model(drifts.get(OURS))


def _faster(rounds: Rounds, peer: str, shape: LoadShape, times: float) -> Verdict:
    target = f"≥ {times:g} x {peer}'s requests/s at {shape.name}"
    if not _both(rounds, peer, shape):
        return _not_measured(target)
    ratio = speed_ratio(rounds[OURS, shape], rounds[peer, shape])
    return Verdict(target, _times(ratio), ratio.median >= times)


def _cheaper(rounds: Rounds, peer: str, times: float) -> Verdict:
    target = f"{peer} takes ≥ {times:g} x our CPU a text at {MANY.name}"
    if not _both(rounds, peer, MANY):
        return _not_measured(target)
    ratio = cost_ratio(rounds[OURS, MANY], rounds[peer, MANY], MANY)
    return Verdict(target, _times(ratio), ratio.median >= times)


def _near_limit(rounds: Rounds, limits: Sequence[Limit]) -> Verdict:
    target = f"≥ 80 % of the engine's texts a CPU-second at {MANY.name}"
    if not (limits and rounds.get((OURS, MANY))):
        return _not_measured(target)
    served = figures(rounds[OURS, MANY], MANY).cpu_ms_a_text.median
    best = spread([limit.cpu_ms_a_text for limit in limits]).median
    waiting = spread([limit.cpu_ms_of_waiting for limit in limits]).median
    measured = f"{best / served:.0%} ({waiting / served:.0%} of it with 32 texts to choose from)"
    return Verdict(target, measured, best / served >= 0.8)


def _quick_alone(rounds: Rounds, limits: Sequence[Limit]) -> Verdict:
    target = f"p50 at {ALONE.name} ≤ 1.5 x the engine's"
    if not (limits and rounds.get((OURS, ALONE))):
        return _not_measured(target)
    served = figures(rounds[OURS, ALONE], ALONE).p50_ms
    bare = 1000 * percentile([each for limit in limits for each in limit.latencies_s], 0.5)
    measured = f"{served / bare:.2f} x ({served:.1f} ms, {bare:.1f} ms)"
    return Verdict(target, measured, served <= 1.5 * bare)


def _steady(rounds: Rounds) -> Verdict:
    target = f"p99 ≤ 2.5 x p50 at {MANY.name}"
    if not rounds.get((OURS, MANY)):
        return _not_measured(target)
    served = figures(rounds[OURS, MANY], MANY)
    measured = f"{served.p99_ms / served.p50_ms:.2f} x"
    return Verdict(target, measured, served.p99_ms <= 2.5 * served.p50_ms)


def _true_to_model(drift: Drift | None) -> list[Verdict]:
    same = f"label of the float32 model for ≥ {LEAST_AGREEMENT:.0%} of texts"
    alike = f"alone and in mixed batches: no flip, Δp ≤ {MOST_MOVED}"
    if drift is None:
        return [_not_measured(same), _not_measured(alike)]
    agreed = f"{drift.agreement:.1%}, Δp ≤ {drift.off_by:.1e}"
    moved = f"{drift.flips} of {drift.mixed} flip, Δp ≤ {drift.moved_by:.1e}"
    held = drift.flips == 0 and drift.moved_by <= MOST_MOVED
    return [
        Verdict(same, agreed, drift.agreement >= LEAST_AGREEMENT),
        Verdict(alike, moved, held),
    ]


def _both(rounds: Rounds, peer: str, shape: LoadShape) -> bool:
    return bool(rounds.get((OURS, shape)) and rounds.get((peer, shape)))


def _not_measured(target: str) -> Verdict:
    return Verdict(target, "not measured", None)


def _times(ratio: Spread) -> str:
    return f"{ratio.median:.2f} x ({ratio.low:.2f} to {ratio.high:.2f})"
