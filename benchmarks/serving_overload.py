"""What does our server do when three times as many requests come as it can answer?

`python -m benchmarks.serving_overload --seconds 60`: the peak is measured with 32 requests in
flight; then requests come at three times that rate, whatever became of those before.
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.contenders import ours
from benchmarks.judged_run import run_judged
from benchmarks.load_generator import (
    ClosedLoop,
    Cores,
    LoadGenerator,
    LoadResult,
    OpenLoop,
    load_generator,
)
from benchmarks.memory_course import MemoryCourse
from benchmarks.rounds import prepared
from benchmarks.running import Running, running
from benchmarks.served_model import ensure_model
from benchmarks.serving import add_model_options, read_texts
from benchmarks.serving_figures import OK, percentile
from benchmarks.serving_targets import ALONE, MANY, Verdict

MIB = 2**20
# What a server says that has too much to do.
REFUSALS = (429, 503)
LEAST_GOODPUT = 0.9
SLOWEST_REFUSAL_S = 0.05
MOST_GROWTH = 1.1


@dataclass(frozen=True)
class Overload:
    """What became of the requests.

    Attributes:
        peak: answered requests a second with 32 in flight.
        offered: requests a second that came.
        goodput: of these, those a second that were answered while more came.
        statuses: how many requests got each; 0 is no answer.
        refused_p99_ms: from sending to refusal; None when nothing was refused.
        answered_p50_ms, answered_p99_ms: from sending to answer; None when nothing was answered.
        late_p99_ms: how late the generator itself sent.
        memory: resident bytes, sampled twice a second.
        memory_peak: the most there ever were.
        apart: whether the generator had a core of its own.
    """

    peak: float
    offered: float
    goodput: float
    statuses: dict[int, int]
    refused_p99_ms: float | None
    answered_p50_ms: float | None
    answered_p99_ms: float | None
    late_p99_ms: float | None
    memory: list[int]
    memory_peak: int
    apart: bool = False


def main() -> int:
    """Measure and print; 0 when every target is met."""
    return run_judged(_options(), _measure, describe=describe, judge=judge)


def _measure(options: argparse.Namespace, scratch: Path, console: Console) -> Overload:
    texts = read_texts(options)
    data_dir = options.data_dir or scratch / "var"
    model = ensure_model(data_dir, texts, brought=options.model_dir, console=console)
    server_cores, generator_cores = _parted(apart=options.apart)
    contender = ours(data_dir, model, settings=options.setting)
    with (
        running(contender, scratch, cores=server_cores) as server,
        load_generator(generator_cores) as generator,
    ):
        requests = prepared(server, texts.asked, ALONE)
        _closed(server, generator, requests, options.warm_seconds)
        peak = _closed(server, generator, requests, options.peak_seconds)
        offered = options.times * _answered(peak) / peak.wall_s
        with MemoryCourse(server.pid) as memory:
            load = generator.load(OpenLoop(server.port, requests, offered, options.seconds))
        return summed_up(
            load,
            seconds=options.seconds,
            peak=_answered(peak) / peak.wall_s,
            offered=offered,
            memory=memory.samples,
            memory_peak=memory.peak,
            apart=options.apart,
        )


def _parted(*, apart: bool) -> tuple[Cores | None, Cores | None]:
    """The server's cores and the generator's: all for both, or one for the generator alone."""
    if not apart:
        return None, None
    last, *others = sorted(os.sched_getaffinity(0), reverse=True)
    return Cores(others), Cores([last])


def _closed(
    server: Running, generator: LoadGenerator, requests: Sequence[bytes], seconds: float
) -> LoadResult:
    return generator.load(ClosedLoop(server.port, requests, MANY.connections, seconds))


def _answered(load: LoadResult) -> int:
    return sum(shot.status == OK for shot in load.shots)


def summed_up(
    load: LoadResult,
    *,
    seconds: float,
    peak: float,
    offered: float,
    memory: list[int],
    memory_peak: int,
    apart: bool,
) -> Overload:
    """The figures of a load that was offered for so many seconds."""
    in_time = sum(shot.status == OK and shot.done_s <= seconds for shot in load.shots)
    answered = [shot.latency_s for shot in load.shots if shot.status == OK]
    refused = [shot.latency_s for shot in load.shots if shot.status in REFUSALS]
    return Overload(
        peak,
        offered,
        in_time / seconds,
        dict(sorted(Counter(shot.status for shot in load.shots).items())),
        _ms(refused, 0.99),
        _ms(answered, 0.5),
        _ms(answered, 0.99),
        _ms([shot.late_s for shot in load.shots], 0.99),
        memory,
        memory_peak,
        apart,
    )


def judge(found: Overload) -> list[Verdict]:
    """Goodput, refusals, memory, and that every request was answered or refused."""
    share = found.goodput / found.peak
    start, end = found.memory[0], found.memory[-1]
    other = {
        status: count for status, count in found.statuses.items() if status not in (OK, *REFUSALS)
    }
    refused = found.refused_p99_ms
    return [
        Verdict(
            f"goodput ≥ {LEAST_GOODPUT:.0%} of the peak", f"{share:.0%}", share >= LEAST_GOODPUT
        ),
        Verdict(
            f"refused within {1000 * SLOWEST_REFUSAL_S:.0f} ms (p99)",
            "nothing was refused" if refused is None else f"{refused:.1f} ms",
            None if refused is None else refused <= 1000 * SLOWEST_REFUSAL_S,
        ),
        Verdict(
            f"memory at the end ≤ {MOST_GROWTH:g} x at the start",
            f"{start / MIB:,.0f} to {end / MIB:,.0f} MiB, at most {found.memory_peak / MIB:,.0f}",
            end <= MOST_GROWTH * start,
        ),
        Verdict("every request is answered or refused", f"others: {other or 'none'}", not other),
    ]


def describe(found: Overload) -> str:
    statuses = ", ".join(f"{count:,} x {status}" for status, count in found.statuses.items())
    return (
        f"Peak {found.peak:.1f} requests/s, offered {found.offered:.1f}, answered "
        f"{found.goodput:.1f}. Statuses: {statuses}. Answered after {_said(found.answered_p50_ms)} "
        f"(p50), {_said(found.answered_p99_ms)} (p99); the generator was at most "
        f"{_said(found.late_p99_ms)} late (p99).\n"
    )


def _ms(seconds: Sequence[float], share: float) -> float | None:
    return 1000 * percentile(seconds, share) if seconds else None


def _said(milliseconds: float | None) -> str:
    return "never" if milliseconds is None else f"{milliseconds:,.1f} ms"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="serving_overload", description=__doc__)
    parser.add_argument("--times", type=float, default=3.0, help="the peak")
    parser.add_argument("--seconds", type=float, default=60.0, help="of overload")
    parser.add_argument("--peak-seconds", type=float, default=15.0, help="to find the peak")
    parser.add_argument("--warm-seconds", type=float, default=5.0)
    parser.add_argument(
        "--apart",
        action="store_true",
        help="the generator has a core of its own, and the server the others",
    )
    add_model_options(parser)
    options = parser.parse_args()
    options.setting = dict(options.setting or ())
    return options


if __name__ == "__main__":
    sys.exit(main())
