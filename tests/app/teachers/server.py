"""A teacher's server on loopback: it answers as it is scripted to, and keeps what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
# What a request is answered with: a status, headers, and a body.
Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Asked:
    """One request, as it came."""

    path: str
    authorization: str | None
    body: Json


@dataclass
class Script:
    """What the server says, and what it has been asked."""

    answer: Callable[[Asked], Answer]
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


def says(status: int, body: Json | bytes, **headers: str) -> Callable[[Asked], Answer]:
    """The same to everything."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda _: (status, headers, sent)


def teaches(
    model: str = "small-2026-07-01", *, with_logprobs: bool = True
) -> Callable[[Asked], Answer]:
    """A server that finds the first label's code likelier, and says so if it is asked to."""

    def answer(asked: Asked) -> Answer:
        if not asked.path.endswith("/chat/completions"):
            return 404, {}, b"{}"
        first: Json = {"token": "A", "logprob": -0.1}
        listed = [first, {"token": "B", "logprob": -2.3}]
        logprobs = {"content": [first | {"top_logprobs": listed}]} if with_logprobs else None
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": "A"},
            "finish_reason": "stop",
            "logprobs": logprobs,
        }
        usage = {"prompt_tokens": 120, "completion_tokens": 1}
        return says(200, {"model": model, "choices": [choice], "usage": usage})(asked)

    return answer


@contextmanager
def serving(answer: Callable[[Asked], Answer]) -> Iterator[Script]:
    """The server, on a free port, until the block ends."""
    script = Script(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            asked = Asked(self.path, self.headers["Authorization"], json.loads(sent))
            script.asked.append(asked)
            status, headers, body = script.answer(asked)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Silence: tests read what the service logs."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
