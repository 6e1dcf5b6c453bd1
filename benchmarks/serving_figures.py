"""From what a load met to figures: percentiles, costs a text, ratios paired round by round."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

OK = 200


@dataclass(frozen=True)
class LoadShape:
    """So many connections, each with one request in flight about so many texts."""

    connections: int
    texts: int = 1

    @property
    def name(self) -> str:
        many = f", {self.texts} texts" if self.texts > 1 else ""
        return f"c={self.connections}{many}"


@dataclass(frozen=True)
class Burst:
    """A contender under one load for some seconds.

    Attributes:
        latencies_s: of the requests that were answered 200.
        errors: requests that were not.
        wall_s: from the first request to the last answer.
        server_cpu_s: of all processes of the server meanwhile.
        generator_cpu_s: of the process that sent the requests.
    """

    latencies_s: list[float]
    errors: int
    wall_s: float
    server_cpu_s: float
    generator_cpu_s: float

    @property
    def per_second(self) -> float:
        """Answered requests a second."""
        return len(self.latencies_s) / self.wall_s

    def cpu_ms_a_text(self, texts: int) -> float:
        """Infinite when nothing was answered."""
        answered = len(self.latencies_s) * texts
        return 1000 * self.server_cpu_s / answered if answered else math.inf


@dataclass(frozen=True)
class Spread:
    """A median over rounds with its quartiles."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class LoadFigures:
    """A contender under one load, all rounds together.

    Attributes:
        p50_ms, p99_ms: over the requests of all rounds.
        generator_share: of one core, what sending took.
    """

    per_second: Spread
    p50_ms: float
    p99_ms: float
    cpu_ms_a_text: Spread
    errors: int
    generator_share: float


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed; NaN without any."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def spread(values: Sequence[float]) -> Spread:
    """NaN without any value."""
    if not values:
        return Spread(math.nan, math.nan, math.nan)
    return Spread(median(values), percentile(values, 0.25), percentile(values, 0.75))


def figures(bursts: Sequence[Burst], shape: LoadShape) -> LoadFigures:
    latencies = [latency for burst in bursts for latency in burst.latencies_s]
    wall_s = sum(burst.wall_s for burst in bursts)
    return LoadFigures(
        spread([burst.per_second for burst in bursts]),
        1000 * percentile(latencies, 0.5),
        1000 * percentile(latencies, 0.99),
        spread([burst.cpu_ms_a_text(shape.texts) for burst in bursts]),
        sum(burst.errors for burst in bursts),
        sum(burst.generator_cpu_s for burst in bursts) / wall_s,
    )


def speed_ratio(ours: Sequence[Burst], theirs: Sequence[Burst]) -> Spread:
    """How many times as many requests a second we answered, paired within each round."""
    pairs = zip(ours, theirs, strict=True)
    return spread([_ratio(mine.per_second, other.per_second) for mine, other in pairs])


def cost_ratio(ours: Sequence[Burst], theirs: Sequence[Burst], shape: LoadShape) -> Spread:
    """How many times as much CPU a text cost them, paired within each round."""
    pairs = zip(ours, theirs, strict=True)
    return spread(
        [
            _ratio(other.cpu_ms_a_text(shape.texts), mine.cpu_ms_a_text(shape.texts))
            for mine, other in pairs
        ]
    )


def _ratio(above: float, below: float) -> float:
    return above / below if below else math.inf
