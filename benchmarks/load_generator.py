"""A process that sends prepared requests: as fast as answers come, or at a rate of its own."""

import asyncio
import multiprocessing
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe

from benchmarks.light_http import Connection

# Numbers of processor cores, as Linux counts them.
Cores = frozenset[int]
# What a server may hold open by default on most systems, with room for its own files.
MOST_CONNECTIONS = 800


@dataclass(frozen=True)
class Shot:
    """One request of a load.

    Attributes:
        latency_s: from its sending until the whole answer was there.
        status: of the answer, 0 if none came.
        done_s: seconds from the beginning of the load until then.
        late_s: how long after it was due it was sent; 0 where nothing is due.
    """

    latency_s: float
    status: int
    done_s: float
    late_s: float = 0.0


@dataclass(frozen=True)
class Reply:
    """A shot whose body is wanted."""

    shot: Shot
    body: bytes


@dataclass(frozen=True)
class LoadResult:
    """What a load met: every request, seconds from first to last, CPU of the generator."""

    shots: list[Shot]
    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class ClosedLoop:
    """Each connection sends its next request when its last was answered."""

    port: int
    requests: Sequence[bytes]
    connections: int
    seconds: float


@dataclass(frozen=True)
class OpenLoop:
    """Requests come when they are due, whatever became of those before."""

    port: int
    requests: Sequence[bytes]
    per_second: float
    seconds: float


@dataclass(frozen=True)
class AskEach:
    """Each request once; the bodies are wanted."""

    port: int
    requests: Sequence[bytes]
    connections: int


class LoadGenerator:
    """Talks to the process; one load at a time."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def load(self, load: ClosedLoop | OpenLoop) -> LoadResult:
        self._pipe.send(load)
        found: LoadResult = self._pipe.recv()
        return found

    def ask_each(self, wanted: AskEach) -> list[Reply]:
        """The replies in the order of the requests."""
        self._pipe.send(wanted)
        found: list[Reply] = self._pipe.recv()
        return found


@contextmanager
def load_generator(cores: Cores | None = None) -> Iterator[LoadGenerator]:
    """Start the process, on these cores alone if some are given; it ends with the block."""
    start = multiprocessing.get_context("spawn")
    here, there = start.Pipe()
    process = start.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    if cores:
        os.sched_setaffinity(process.pid or 0, cores)
    there.close()
    try:
        yield LoadGenerator(here)
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Pipe) -> None:
    while True:
        try:
            wanted = pipe.recv()
        except EOFError:
            return
        pipe.send(asyncio.run(_do(wanted)))


async def _do(wanted: ClosedLoop | OpenLoop | AskEach) -> LoadResult | list[Reply]:
    match wanted:
        case ClosedLoop():
            return await _timed(lambda shots: _closed(wanted, shots))
        case OpenLoop():
            return await _timed(lambda shots: _open(wanted, shots))
        case AskEach():
            return await _each(wanted)


async def _timed(shoot: Callable[[list[Shot]], Awaitable[None]]) -> LoadResult:
    shots: list[Shot] = []
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    await shoot(shots)
    return LoadResult(shots, time.perf_counter() - wall_s, time.process_time() - cpu_s)


async def _closed(load: ClosedLoop, shots: list[Shot]) -> None:
    began = time.perf_counter()

    async def one_connection(number: int) -> None:
        connection = Connection(load.port)
        # Connections begin at places far from one another, so that they mix.
        place = number * len(load.requests) // load.connections
        while (sent := time.perf_counter()) - began < load.seconds:
            answer = await connection.ask(load.requests[place % len(load.requests)])
            done = time.perf_counter()
            shots.append(Shot(done - sent, answer.status, done - began))
            place += 1
        connection.close()

    await asyncio.gather(*map(one_connection, range(load.connections)))


async def _open(load: OpenLoop, shots: list[Shot]) -> None:
    began = time.perf_counter()
    idle: list[Connection] = []
    open_now = asyncio.Semaphore(MOST_CONNECTIONS)

    async def shoot(due: float, request: bytes) -> None:
        async with open_now:
            connection = idle.pop() if idle else Connection(load.port)
            sent = time.perf_counter()
            answer = await connection.ask(request)
            done = time.perf_counter()
            idle.append(connection)
        shots.append(Shot(done - sent, answer.status, done - began, late_s=sent - due))

    async with asyncio.TaskGroup() as tasks:
        for number in range(int(load.per_second * load.seconds)):
            due = began + number / load.per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.create_task(shoot(due, load.requests[number % len(load.requests)]))
    for connection in idle:
        connection.close()


async def _each(wanted: AskEach) -> list[Reply]:
    began = time.perf_counter()
    replies: dict[int, Reply] = {}
    places = iter(range(len(wanted.requests)))

    async def one_connection() -> None:
        connection = Connection(wanted.port)
        for place in places:
            sent = time.perf_counter()
            answer = await connection.ask(wanted.requests[place])
            done = time.perf_counter()
            shot = Shot(done - sent, answer.status, done - began)
            replies[place] = Reply(shot, answer.body)
        connection.close()

    await asyncio.gather(*(one_connection() for _ in range(wanted.connections)))
    return [replies[place] for place in range(len(wanted.requests))]
