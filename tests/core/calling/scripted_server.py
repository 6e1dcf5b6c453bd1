"""A server that answers as it is told, and remembers who asked when."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.calling.caller import PacedCaller
from core.calling.policy import CallPolicy
from tests.core.calling.virtual_time import now

# 2026-11-23 11:00:00 UTC.
WALL = 1795431600.0


@dataclass(frozen=True)
class ScriptedReply:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b'{"choices": []}'


class TransportFailed(Exception):
    """As an HTTP client raises it."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


Step = ScriptedReply | Exception


def error(status: int, body: Any = None, **headers: str) -> ScriptedReply:
    """A reply that is none; `retry_after="3"` becomes the header `retry-after`."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return ScriptedReply(status, names, b"" if body is None else json.dumps(body).encode())


@dataclass
class Server:
    """Takes one step of the script a post, then `rest` for ever, `latency_s` later each time."""

    script: Iterable[Step] = ()
    rest: Step = ScriptedReply()
    latency_s: float = 0.1
    posts: list[tuple[float, bytes]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    def __post_init__(self) -> None:
        self._steps = iter(self.script)

    async def post(self, path: str, body: bytes) -> ScriptedReply:
        self.posts.append((now(), body))
        step = next(self._steps, self.rest)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.latency_s)
        finally:
            self.at_once -= 1
        if isinstance(step, Exception):
            raise step
        return step


def caller_of(
    server: Server, *, random: Callable[[], float] = lambda: 0.5, **policy: Any
) -> PacedCaller:
    """A caller in virtual time; to be made inside a scenario."""
    return PacedCaller(
        server.post,
        CallPolicy(**policy),
        clock=now,
        wall_clock=lambda: WALL + now(),
        random=random,
    )
