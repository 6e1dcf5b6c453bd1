"""One burst on one server, and whose turn it is."""

from collections.abc import Sequence

from benchmarks.load_generator import ClosedLoop, LoadGenerator
from benchmarks.process_tree import cpu_seconds
from benchmarks.running import Running
from benchmarks.serving_figures import OK, Burst, LoadShape


def prepared(server: Running, texts: Sequence[str], shape: LoadShape) -> list[bytes]:
    """All texts once, in requests of the shape's size; what is left at the end is dropped."""
    most = len(texts) - len(texts) % shape.texts
    return [
        server.request(*texts[place : place + shape.texts]) for place in range(0, most, shape.texts)
    ]


def turns(count: int, round_number: int) -> list[int]:
    """The order of the servers in a round: each is first in one round of `count`."""
    return [(place + round_number) % count for place in range(count)]


def measured_burst(
    server: Running,
    generator: LoadGenerator,
    requests: Sequence[bytes],
    shape: LoadShape,
    *,
    seconds: float,
) -> Burst:
    """Send requests for some seconds, and count what came back and what it cost."""
    before_s = cpu_seconds(server.pid)
    load = generator.load(ClosedLoop(server.port, requests, shape.connections, seconds))
    used_s = cpu_seconds(server.pid) - before_s
    return Burst(
        latencies_s=[shot.latency_s for shot in load.shots if shot.status == OK],
        errors=sum(shot.status != OK for shot in load.shots),
        wall_s=load.wall_s,
        server_cpu_s=used_s,
        generator_cpu_s=load.cpu_s,
    )
