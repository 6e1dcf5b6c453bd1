"""The load generator reads answers whole, keeps its connections, and counts what it met."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.light_http import Answer, AnswerReader, Connection, post
from benchmarks.load_generator import AskEach, ClosedLoop, OpenLoop, load_generator


class Echo(BaseHTTPRequestHandler):
    """Answers with what it got; `"busy"` is refused."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(429 if body == b'"busy"' else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


class TestAnswerReader:
    def test_an_answer_in_pieces_is_one_answer(self) -> None:
        reader = AnswerReader()
        assert reader.feed(b"HTTP/1.1 200 OK\r\nContent-Le") is None
        assert reader.feed(b"ngth: 5\r\n\r\nhe") is None
        assert reader.feed(b"llo") == Answer(200, b"hello")
        assert reader.feed(b"HTTP/1.1 204 No Content\r\n\r\n") == Answer(204)

    def test_chunks_are_put_together(self) -> None:
        reader = AnswerReader()
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert reader.feed(head + b"3\r\nabc\r\n2\r\nd") is None
        assert reader.feed(b"e\r\n0\r\n\r\n") == Answer(200, b"abcde")

    def test_a_server_that_closes_says_so(self) -> None:
        closing = b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        assert AnswerReader().feed(closing) == Answer(503, closes=True)


class TestConnection:
    def test_nobody_there_is_no_answer(self) -> None:
        assert asyncio.run(Connection(1).ask(post("/", "text"))).status == 0

    def test_it_is_used_again(self, port: int) -> None:
        async def twice() -> list[bytes]:
            connection = Connection(port)
            answers = [await connection.ask(post("/", text)) for text in ("one", "two")]
            connection.close()
            return [answer.body for answer in answers]

        assert asyncio.run(twice()) == [b'"one"', b'"two"']


class TestLoads:
    def test_each_kind_of_load_meets_what_the_server_says(self, port: int) -> None:
        requests = [post("/", "fine"), post("/", "busy")]
        with load_generator() as generator:
            replies = generator.ask_each(AskEach(port, requests, connections=2))
            closed = generator.load(ClosedLoop(port, requests, connections=2, seconds=0.2))
            opened = generator.load(OpenLoop(port, requests, per_second=50, seconds=0.4))
        assert [(each.shot.status, each.body) for each in replies] == [
            (200, b'"fine"'),
            (429, b'"busy"'),
        ]
        assert {shot.status for shot in closed.shots} == {200, 429}
        assert closed.wall_s >= 0.2
        assert [shot.status for shot in opened.shots].count(429) == 10
        assert len(opened.shots) == 20
        assert all(shot.late_s >= 0 for shot in opened.shots)
