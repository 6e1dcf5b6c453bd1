"""The serving benchmark's results as Markdown."""

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.contenders import OURS
from benchmarks.serving_drift import Drift
from benchmarks.serving_figures import Burst, LoadShape, cost_ratio, figures, speed_ratio
from benchmarks.serving_targets import Rounds, Verdict

LOAD_COLUMNS = (
    "server",
    "requests/s",
    "p50 ms",
    "p99 ms",
    "CPU-ms a text",
    "we answer",
    "a text costs",
    "errors",
)
DRIFT_COLUMNS = ("server", "same label", "Δp from float32", "flips mixed", "Δp mixed")
ANSWERS: Mapping[bool | None, str] = {True: "yes", False: "no", None: "-"}


def load_table(rounds: Rounds, shape: LoadShape) -> str:
    """One line a server under one load; ratios are medians over rounds, with quartiles."""
    measured = {name: bursts for (name, each), bursts in rounds.items() if each == shape}
    return _table(
        LOAD_COLUMNS, [_load_row(name, shape, measured) for name in measured if measured[name]]
    )


def _load_row(name: str, shape: LoadShape, measured: Mapping[str, Sequence[Burst]]) -> list[str]:
    found = figures(measured[name], shape)
    row = [
        name,
        f"{found.per_second.median:.1f}",
        f"{found.p50_ms:.1f}",
        f"{found.p99_ms:.1f}",
        f"{found.cpu_ms_a_text.median:.2f}",
    ]
    if name == OURS or not measured.get(OURS):
        return [*row, "-", "-", str(found.errors)]
    speed = speed_ratio(measured[OURS], measured[name])
    cost = cost_ratio(measured[OURS], measured[name], shape)
    return [
        *row,
        f"{speed.median:.2f} x ({speed.low:.2f}-{speed.high:.2f})",
        f"{cost.median:.2f} x ({cost.low:.2f}-{cost.high:.2f})",
        str(found.errors),
    ]


def drift_table(drifts: Mapping[str, Drift]) -> str:
    """One line a server."""
    return _table(
        DRIFT_COLUMNS,
        [
            [
                name,
                f"{drift.agreement:.1%}",
                f"{drift.off_by:.1e}",
                f"{drift.flips} of {drift.mixed}",
                f"{drift.moved_by:.1e}",
            ]
            for name, drift in drifts.items()
        ],
    )


def target_table(verdicts: Sequence[Verdict]) -> str:
    """target | measured | met?"""
    return _table(
        ("target", "measured", "met?"),
        [[each.target, each.measured, ANSWERS[each.met]] for each in verdicts],
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
