"""The serving benchmark's results, printed and kept."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from benchmarks.contenders import OURS
from benchmarks.serving_figures import figures, spread
from benchmarks.serving_run import Found
from benchmarks.serving_tables import drift_table, load_table, target_table
from benchmarks.serving_targets import verdicts

MIB = 2**20


def report(found: Found, console: Console) -> None:
    """Print every table as Markdown."""
    for shape in dict.fromkeys(shape for _, shape in found.rounds):
        _print(console, f"{shape.name}:\n\n{load_table(found.rounds, shape)}")
    best = spread([limit.cpu_ms_a_text for limit in found.limits])
    waiting = spread([limit.cpu_ms_of_waiting for limit in found.limits])
    _print(
        console,
        f"The engine alone, one thread: {best.median:.2f} CPU-ms a text ({best.low:.2f} to "
        f"{best.high:.2f}), {waiting.median:.2f} with 32 texts to choose from.",
    )
    of_all = [figures(bursts, shape) for (_, shape), bursts in found.rounds.items() if bursts]
    _print(
        console,
        f"The generator took {max(each.generator_share for each in of_all):.0%} of a core at the "
        "most. Resident: "
        + ", ".join(f"{name} {size / MIB:,.0f} MiB" for name, size in found.resident.items())
        + ".",
    )
    if found.drifts:
        _print(console, drift_table(found.drifts))
    _print(console, target_table(verdicts(found.rounds, found.limits, found.drifts)))


def keep(found: Found, path: Path, machine: Mapping[str, str]) -> None:
    """Append a line a server and load, and one a server with its drift and memory."""
    with path.open("a", encoding="utf-8") as file:
        for (name, shape), bursts in found.rounds.items():
            each = [
                {
                    "per_second": burst.per_second,
                    "cpu_ms_a_text": burst.cpu_ms_a_text(shape.texts),
                    "errors": burst.errors,
                }
                for burst in bursts
            ]
            line = {"server": name, "load": asdict(shape), **asdict(figures(bursts, shape))}
            file.write(json.dumps({**line, "rounds": each, "machine": machine}) + "\n")
        for name, size in found.resident.items():
            drift = found.drifts.get(name)
            line = {"server": name, "resident_bytes": size}
            line["drift"] = None if drift is None else asdict(drift)
            line["engine"] = _engine(found) if name == OURS else None
            file.write(json.dumps({**line, "machine": machine}) + "\n")


def _engine(found: Found) -> dict[str, object]:
    return {
        name: asdict(spread([getattr(limit, name) for limit in found.limits]))
        for name in ("cpu_ms_a_text", "cpu_ms_of_waiting")
    }


def _print(console: Console, text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)
    console.print()
