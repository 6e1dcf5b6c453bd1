"""A chat server in a process of its own that answers each request a fixed time later.

It reads only as much of a request as it must, so that the core it takes is left to what is
measured. The answer is always the first code, with 20 log-probabilities beside it, as OpenAI
and vLLM send them.
"""

import asyncio
import json
import multiprocessing
import re
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_CODES = "ABCDEFGHJKLMNOPQRSTU"


@contextmanager
def prompt_server(*, latency_s: float) -> Iterator[str]:
    """Serve on a free port of this machine; yields the base URL, which ends in /v1."""
    start = multiprocessing.get_context("spawn")
    here, there = start.Pipe()
    process = start.Process(target=_serve, args=(there, latency_s), daemon=True)
    process.start()
    there.close()
    try:
        yield f"http://127.0.0.1:{here.recv()}/v1"
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection, latency_s: float) -> None:
    asyncio.run(_serve_for_ever(pipe, latency_s))


async def _serve_for_ever(pipe: Connection, latency_s: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Answering(latency_s), "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class _Answering(asyncio.Protocol):
    """One connection: requests come one after another, each answered once it is complete."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not separator or length is None or len(body) < int(length[1]):
            return
        self._received.clear()
        reply = _COMPLETION if b"/chat/completions" in head.split(b"\r\n", 1)[0] else _NOT_FOUND
        asyncio.get_running_loop().call_later(self._latency_s, self._transport.write, reply)


def _reply(status: str, content: object) -> bytes:
    body = json.dumps(content).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


def _completion() -> object:
    listed = [
        {"token": code, "logprob": -0.2 - place, "bytes": [ord(code)]}
        for place, code in enumerate(_CODES)
    ]
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": _CODES[0], "refusal": None},
        "finish_reason": "stop",
        "logprobs": {"content": [{**listed[0], "top_logprobs": listed}], "refusal": None},
    }
    return {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "created": 0,
        "model": "fixed-0001",
        "choices": [choice],
        "usage": {"prompt_tokens": 200, "completion_tokens": 1, "total_tokens": 201},
    }


_COMPLETION = _reply("200 OK", _completion())
_NOT_FOUND = _reply("404 Not Found", {"detail": "Not Found"})
