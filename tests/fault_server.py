"""A chat server that fails as it is told, down to the bytes: what a framework would not send.

How it reacts is chosen by the text that a request asks about, and by how often that text was
asked about before.
"""

import asyncio
import json
import re
import ssl
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

Json = dict[str, Any]
CODES = "ABC"
MIB = 2**20
HOST = "127.0.0.1"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_KEY = re.compile(rb"authorization: *Bearer +(\S+)", re.IGNORECASE)


@dataclass(frozen=True)
class Asked:
    """One request about a text; `times` counts those about the same text, this one included."""

    text: str
    times: int
    body: bytes
    key: str | None


Reaction = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class FaultServer:
    """What the server does, and what it was asked.

    Attributes:
        react: what to do about a request.
        look: called with each request before it is answered, in the server's thread.
        accepted: connections so far.
    """

    react: Callable[[Asked], Reaction]
    look: Callable[[Asked], None] = lambda _: None
    asked: list[Asked] = field(default_factory=list)
    accepted: int = 0
    port: int = 0
    _times: Counter[str] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/v1"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, one after another."""
        self.accepted += 1
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while not writer.is_closing():
                    await self._take_one(reader, writer)
        finally:
            writer.close()

    async def _take_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length[1])) if length else b""
        if b"/chat/completions" in head.split(b"\r\n", 1)[0]:
            await self._answer(head, body, writer)
        else:
            writer.write(reply({"detail": "Not Found"}, 404))
        await writer.drain()

    async def _answer(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        text = json.loads(body)["messages"][-1]["content"].split("\n")[1]
        self._times[text] += 1
        key = _KEY.search(head)
        asked = Asked(text, self._times[text], body, key[1].decode() if key else None)
        self.asked.append(asked)
        self.look(asked)
        await self.react(asked)(asked, writer)


@contextmanager
def faulty(
    react: Callable[[Asked], Reaction], *, tls: ssl.SSLContext | None = None
) -> Iterator[FaultServer]:
    """The server on a free port of this machine, until the block ends."""
    server = FaultServer(react)
    loop = asyncio.new_event_loop()
    listening = loop.run_until_complete(asyncio.start_server(server.talk, HOST, 0, ssl=tls))
    server.port = listening.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(_end(listening), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(listening: asyncio.Server) -> None:
    """Hang up on everyone, also on those that hang on purpose."""
    listening.close()
    conversations = asyncio.all_tasks() - {asyncio.current_task()}
    for each in conversations:
        each.cancel()
    await asyncio.gather(*conversations)
    # Transports close in the loop's next turns.
    await asyncio.sleep(0.05)


# --- replies --------------------------------------------------------------------------------


def reply(content: object, status: int = 200, **headers: str) -> bytes:
    """A whole reply; `retry_after="1"` becomes the header `retry-after`."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    lines = [f"HTTP/1.1 {status} Told", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def completion(content: object = "A", **changes: Any) -> Json:
    """A reply as a good server sends it; `changes` replace parts of its only choice."""
    listed = [{"token": code, "logprob": -0.1 - 3 * i} for i, code in enumerate(CODES)]
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content},
        "finish_reason": "stop",
        "logprobs": {"content": [{**listed[0], "top_logprobs": listed}]},
    }
    return {
        "id": "chatcmpl-1",
        "model": "faulty-0001",
        "choices": [choice | changes],
        "usage": {"prompt_tokens": 100, "completion_tokens": 1, "total_tokens": 101},
    }


def says(raw: bytes) -> Reaction:
    """Send these bytes at once."""

    async def react(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    return react


ANSWERS = says(reply(completion()))


def error(status: int, code: str = "", message: str = "no", **headers: str) -> Reaction:
    return says(reply({"error": {"code": code, "message": message}}, status, **headers))


def in_seconds(seconds: int) -> str:
    """An HTTP date."""
    return formatdate(time.time() + seconds, usegmt=True)


def late(seconds: float, reaction: Reaction = ANSWERS) -> Reaction:
    """React so much later."""

    async def react(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        await reaction(asked, writer)

    return react


async def resets(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Break the connection in the middle of the body."""
    writer.write(reply(completion())[:-40])
    await writer.drain()
    writer.transport.abort()


async def hangs(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Say nothing, for longer than anyone waits."""
    await asyncio.sleep(60)


async def drips(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Send a good reply a byte at a time, so slowly that it does not end in time."""
    for byte in reply(completion()):
        if writer.is_closing():
            return
        writer.write(bytes([byte]))
        await asyncio.sleep(0.05)


def once(fault: Reaction) -> Callable[[Asked], Reaction]:
    """Fail the first time that a text is asked about."""
    return lambda asked: fault if asked.times == 1 else ANSWERS


def always(fault: Reaction) -> Callable[[Asked], Reaction]:
    return lambda _: fault
