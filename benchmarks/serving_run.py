"""The rounds: every load on every server in turn, the bare engine after them, then drift.

While one is measured the others are stopped: some poll when they have nothing to do.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.in_process import InProcess, Limit
from benchmarks.load_generator import ClosedLoop, LoadGenerator
from benchmarks.process_tree import paused, resident_bytes
from benchmarks.rounds import measured_burst, prepared, turns
from benchmarks.running import Running
from benchmarks.serving_drift import Drift, NoAnswer, float32_probabilities, measure_drift
from benchmarks.serving_figures import Burst, LoadShape


@dataclass(frozen=True)
class Arena:
    """What is running: the servers, ours first, what sends to them, and the bare engine."""

    servers: Sequence[Running]
    generator: LoadGenerator
    engine: InProcess

    def left_to(self, *measured: Running) -> AbstractContextManager[None]:
        """Stop all the other servers meanwhile."""
        return paused([each.pid for each in self.servers if each not in measured])


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes:
        texts: what servers are asked about, again and again.
        labels: of the model.
        shapes: the loads, one after another.
        rounds: bursts of each load on each server.
        seconds: of a burst.
        warm_s: of each load on each server before anything is measured.
        mixes: mixed requests that drift is measured on.
    """

    texts: Sequence[str]
    labels: Sequence[str]
    shapes: Sequence[LoadShape]
    rounds: int
    seconds: float
    warm_s: float
    mixes: int
    seed: int


@dataclass(frozen=True)
class Found:
    """Everything that was measured; servers by name, in the order of their start."""

    rounds: Mapping[tuple[str, LoadShape], Sequence[Burst]]
    limits: Sequence[Limit]
    drifts: Mapping[str, Drift]
    resident: Mapping[str, int]


def measure(
    arena: Arena, plan: Plan, files: Mapping[str, Path], *, say: Callable[[str], None]
) -> Found:
    """Warm up, go round, then compare answers; a server that fails there has no drift."""
    for server in arena.servers:
        with arena.left_to(server):
            _warm(server, arena.generator, plan)
    rounds: dict[tuple[str, LoadShape], list[Burst]] = {}
    limits: list[Limit] = []
    for shape in plan.shapes:
        limits += _go_round(arena, plan, shape, rounds)
        say(f"{shape.name} is done.")
    # Before the drift, whose requests are as large as no load's.
    resident = {each.contender.name: resident_bytes(each.pid) for each in arena.servers}
    return Found(rounds, limits, _drifts(arena, plan, files, say), resident)


def _warm(server: Running, generator: LoadGenerator, plan: Plan) -> None:
    """Every load once: some compile anew for one text and for several."""
    for shape in plan.shapes:
        requests = prepared(server, plan.texts, shape)
        generator.load(ClosedLoop(server.port, requests, shape.connections, plan.warm_s))


def _go_round(
    arena: Arena,
    plan: Plan,
    shape: LoadShape,
    rounds: dict[tuple[str, LoadShape], list[Burst]],
) -> list[Limit]:
    """One load, all its rounds; the bursts are added, the engine's figures returned."""
    requests = [prepared(server, plan.texts, shape) for server in arena.servers]
    limits = []
    for server in arena.servers:
        rounds[server.contender.name, shape] = []
    for number in range(plan.rounds):
        for place in turns(len(arena.servers), number):
            server = arena.servers[place]
            with arena.left_to(server):
                burst = measured_burst(
                    server, arena.generator, requests[place], shape, seconds=plan.seconds
                )
            rounds[server.contender.name, shape].append(burst)
        with arena.left_to():
            limits.append(arena.engine.measure(plan.seconds))
    return limits


def _drifts(
    arena: Arena, plan: Plan, files: Mapping[str, Path], say: Callable[[str], None]
) -> dict[str, Drift]:
    if not plan.mixes:
        return {}
    reference = float32_probabilities(files, plan.texts)
    found = {}
    for server in arena.servers:
        try:
            with arena.left_to(server):
                found[server.contender.name] = measure_drift(
                    server,
                    arena.generator,
                    plan.texts,
                    labels=plan.labels,
                    reference=reference,
                    mixes=plan.mixes,
                    seed=plan.seed,
                )
        except NoAnswer as error:
            # What was measured before stands, and took long.
            say(f"No drift: {error}")
    return found
