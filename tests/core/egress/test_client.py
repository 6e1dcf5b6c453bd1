"""A call brings a bounded reply from its one server, or a failure of a known kind."""

import asyncio
import gzip
import time
from collections.abc import Coroutine
from pathlib import Path

import pytest

from core.egress import client as client_module
from core.egress.allow_list import AllowList
from core.egress.client import Caller
from core.egress.errors import TeacherUrlForbidden
from core.egress.outcome import CallFailed, Reply
from core.egress.urls import parse_base_url
from tests.core.egress.loopback import (
    HOST,
    Conversation,
    ScriptedNetwork,
    Server,
    answering,
    answering_once,
    http,
    serving,
    silent,
)

# Long enough for a busy machine, short enough for a test.
SOON_S = 0.2


def caller_of(server: Server, **options: object) -> Caller:
    base = f"http://{HOST}:{server.port}"
    return Caller(parse_base_url(f"{base}/v1"), AllowList.parse([base]), **options)  # type: ignore[arg-type]


async def failure_of(call: Coroutine[object, object, Reply]) -> CallFailed:
    with pytest.raises(CallFailed) as failed:
        await call
    return failed.value


async def kind_from(*raw: bytes, **options: object) -> str:
    """The kind of failure that one call to a server answering so ends in."""
    async with serving(answering_once(b"".join(raw))) as server, caller_of(server, **options) as to:
        return (await failure_of(to.post("/x", b"{}"))).kind


class TestACall:
    def test_sends_a_json_body_and_brings_the_reply(self) -> None:
        async def scenario() -> None:
            raw = http(b'{"ok":1}', status="429 Slow down", headers={"X-Two": "a", "x-two": "b"})
            async with serving(answering(raw)) as server, caller_of(server) as caller:
                reply = await caller.post("/chat/completions", b'{"n":1}')
            assert (reply.status, reply.body) == (429, b'{"ok":1}')
            assert reply.headers == {"content-length": "8", "x-two": "a, b"}
            (request,) = server.received
            assert (request.line, request.body) == (
                "POST /v1/chat/completions HTTP/1.1",
                b'{"n":1}',
            )
            assert request.headers["host"] == f"{HOST}:{server.port}"
            assert request.headers["content-type"] == "application/json"
            assert request.headers["accept-encoding"] == "identity"
            assert "authorization" not in request.headers

        asyncio.run(scenario())

    def test_may_ask_without_a_body(self) -> None:
        async def scenario() -> None:
            async with serving(answering(http())) as server, caller_of(server) as caller:
                await caller.get("/models")
            assert (server.received[0].line, server.received[0].body) == (
                "GET /v1/models HTTP/1.1",
                b"",
            )

        asyncio.run(scenario())

    def test_cannot_leave_the_endpoint(self) -> None:
        async def scenario() -> None:
            async with serving() as server, caller_of(server) as caller:
                for path in ("http://evil.example/", "//evil.example", "/../admin", "/a b"):
                    with pytest.raises(ValueError, match="is not a path"):
                        await caller.get(path)
            assert server.accepted == 0

        asyncio.run(scenario())

    def test_of_a_server_that_is_not_listed_cannot_be_made(self) -> None:
        with pytest.raises(TeacherUrlForbidden):
            Caller(parse_base_url("http://127.0.0.1:8000"), AllowList.parse(["api.openai.com"]))

    def test_keeps_no_cookie(self) -> None:
        async def scenario() -> None:
            raw = http(headers={"Set-Cookie": "a=b; Path=/"})
            async with serving(answering(raw)) as server, caller_of(server) as caller:
                await caller.get("/models")
                await caller.get("/models")
            assert [request.headers.get("cookie") for request in server.received] == [None, None]

        asyncio.run(scenario())

    @pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"])
    def test_asks_no_proxy_and_no_netrc(
        self, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        netrc = tmp_path / ".netrc"
        netrc.write_text(f"machine {HOST} login user password netrc-password\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(netrc))

        async def scenario() -> None:
            async with serving(answering(http())) as proxy, serving(answering(http())) as server:
                monkeypatch.setenv(name, f"http://{HOST}:{proxy.port}")
                monkeypatch.setenv(name.lower(), f"http://{HOST}:{proxy.port}")
                async with caller_of(server) as caller:
                    await caller.get("/models")
            assert (proxy.accepted, server.accepted) == (0, 1)
            assert "authorization" not in server.received[0].headers

        asyncio.run(scenario())


class TestAReplyThatIsRefused:
    @pytest.mark.parametrize("status", ["301 M", "302 F", "303 S", "304 N", "307 T", "308 P"])
    def test_is_a_redirect_and_nobody_follows_it(self, status: str) -> None:
        async def scenario() -> None:
            async with serving(answering(http())) as other:
                for target in ("http://169.254.169.254/", f"http://{HOST}:{other.port}/v1/x"):
                    raw = http(status=status, headers={"Location": target})
                    async with serving(answering(raw)) as server:
                        network = ScriptedNetwork([HOST])
                        async with caller_of(server, network=network) as caller:
                            failed = await failure_of(caller.post("/x", b"{}"))
                    assert (failed.kind, network.dialled) == ("redirect", [HOST])
                    assert target not in str(failed)
            assert other.accepted == 0

        asyncio.run(scenario())

    def test_is_longer_than_the_cap(self) -> None:
        async def scenario() -> None:
            chunk = b"3e8\r\n" + b"x" * 1000 + b"\r\n"
            chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            unending = b"HTTP/1.0 200 OK\r\n\r\n"
            within = {"max_body_bytes": 1000}
            # Refused by its word alone: the body never comes.
            assert await kind_from(
                b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", **within
            ) == ("too_large")
            assert await kind_from(chunked, chunk, chunk, **within) == "too_large"
            assert await kind_from(unending, b"x" * 1001, **within) == "too_large"

        asyncio.run(scenario())

    def test_hides_its_length_in_what_surrounds_the_body(self) -> None:
        async def scenario() -> None:
            early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
            assert await kind_from(early * 3000, max_body_bytes=1000) == "too_large"

        asyncio.run(scenario())

    def test_is_not_one_as_long_as_the_cap(self) -> None:
        async def scenario() -> None:
            whole = b"x" * 1024 * 1024
            chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n"
            for raw in (http(whole), chunked + whole + b"\r\n0\r\n\r\n"):
                async with serving(answering(raw)) as server, caller_of(server) as caller:
                    assert (await caller.get("/x")).body == whole

        asyncio.run(scenario())

    def test_is_compressed(self) -> None:
        async def scenario() -> None:
            bomb = gzip.compress(bytes(10_000_000))
            raw = http(bomb, headers={"Content-Encoding": "gzip"})
            assert await kind_from(raw) == "protocol"

        asyncio.run(scenario())

    @pytest.mark.parametrize(
        "raw",
        [
            b"220 smtp.example.com ESMTP\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
            b"\x15\x03\x03\x00\x02\x02\x46" + bytes(100),
        ],
    )
    def test_is_no_http(self, raw: bytes) -> None:
        async def scenario() -> None:
            assert await kind_from(raw) == "protocol"

        asyncio.run(scenario())


class TestAServer:
    def test_that_hangs_up_before_or_within_its_reply_is_a_reset(self) -> None:
        async def scenario() -> None:
            assert await kind_from(b"") == "reset"
            assert await kind_from(b"HTTP/1.1 200 OK\r\nConten") == "reset"
            assert await kind_from(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}") == "reset"

        asyncio.run(scenario())

    def test_that_resets_the_connection_is_a_reset(self) -> None:
        async def script(conversation: Conversation) -> None:
            await conversation.hear()
            conversation.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}")
            await conversation.flush()
            conversation.reset()

        async def scenario() -> None:
            async with serving(script) as server, caller_of(server) as caller:
                assert (await failure_of(caller.post("/x", b"{}"))).kind == "reset"

        asyncio.run(scenario())

    def test_that_never_answers_is_a_timeout(self) -> None:
        async def scenario() -> None:
            async with serving(silent) as server, caller_of(server) as caller:
                started = time.monotonic()
                failed = await failure_of(caller.post("/x", b"{}", timeout_s=SOON_S))
                assert failed.kind == "timeout"
                assert time.monotonic() - started < 10 * SOON_S

        asyncio.run(scenario())

    def test_that_drips_is_a_timeout_although_it_always_moves(self) -> None:
        async def script(conversation: Conversation) -> None:
            await conversation.hear()
            conversation.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while True:
                conversation.say(b"x")
                await conversation.flush()
                await asyncio.sleep(0.01)

        async def scenario() -> None:
            async with serving(script) as server, caller_of(server) as caller:
                failed = await failure_of(caller.post("/x", b"{}", timeout_s=SOON_S))
                assert failed.kind == "timeout"

        asyncio.run(scenario())

    def test_that_does_not_read_is_a_timeout(self) -> None:
        async def script(conversation: Conversation) -> None:
            await asyncio.sleep(60)

        async def scenario() -> None:
            async with serving(script) as server, caller_of(server) as caller:
                body = bytes(20_000_000)
                assert (
                    await failure_of(caller.post("/x", body, timeout_s=SOON_S))
                ).kind == "timeout"

        asyncio.run(scenario())


class TestConnections:
    def test_are_kept_open_and_used_again(self) -> None:
        async def scenario() -> None:
            async with serving(answering(http())) as server, caller_of(server) as caller:
                for _ in range(20):
                    await caller.post("/x", b"{}")
            assert (server.accepted, len(server.received)) == (1, 20)

        asyncio.run(scenario())

    def test_are_at_most_as_many_as_said(self) -> None:
        async def scenario() -> None:
            async with (
                serving(answering(http())) as server,
                caller_of(server, max_connections=3) as caller,
            ):
                await asyncio.gather(*(caller.post("/x", b"{}") for _ in range(50)))
            assert (server.accepted, len(server.received)) == (3, 50)

        asyncio.run(scenario())

    def test_that_cannot_be_had_in_time_mean_that_nothing_was_sent(self) -> None:
        async def scenario() -> None:
            async with (
                serving(silent) as server,
                caller_of(server, max_connections=1) as caller,
            ):
                first = asyncio.create_task(caller.post("/x", b"{}"))
                await asyncio.sleep(0)
                failed = await failure_of(caller.post("/x", b"{}", timeout_s=SOON_S))
                first.cancel()
            assert failed.kind == "connect"

        asyncio.run(scenario())

    @pytest.mark.parametrize(
        "last",
        [
            http(headers={"Connection": "close"}),
            b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            b"HTTP/1.0 200 OK\r\n\r\n{}",
        ],
    )
    def test_that_the_server_ends_are_opened_anew(self, last: bytes) -> None:
        async def scenario() -> None:
            async with serving(answering_once(last)) as server, caller_of(server) as caller:
                for _ in range(3):
                    assert (await caller.post("/x", b"{}")).body == b"{}"
            assert server.accepted == 3

        asyncio.run(scenario())

    def test_that_ended_while_idle_are_opened_anew(self) -> None:
        async def scenario() -> None:
            async with serving(answering_once(http())) as server, caller_of(server) as caller:
                for _ in range(3):
                    await caller.post("/x", b"{}")
                    await server.hung_up()
            assert server.accepted == 3

        asyncio.run(scenario())

    def test_that_were_idle_for_long_are_opened_anew(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client_module, "IDLE_SECONDS", 0.0)

        async def scenario() -> None:
            async with serving(answering(http())) as server, caller_of(server) as caller:
                await caller.post("/x", b"{}")
                await caller.post("/x", b"{}")
            assert server.accepted == 2

        asyncio.run(scenario())

    @pytest.mark.parametrize("late", [False, True])
    def test_that_brought_more_than_was_asked_are_not_trusted_again(self, late: bool) -> None:
        async def script(conversation: Conversation) -> None:
            while await conversation.hear():
                conversation.say(http(b"mine") + (b"" if late else http(b"forged")))
                await conversation.flush()
                if late:
                    await asyncio.sleep(0.01)
                    conversation.say(http(b"forged"))

        async def scenario() -> None:
            async with serving(script) as server, caller_of(server) as caller:
                for _ in range(3):
                    assert (await caller.post("/x", b"{}")).body == b"mine"
                    await server.hung_up()
            assert server.accepted == 3

        asyncio.run(scenario())

    def test_of_a_cancelled_call_are_closed_and_their_place_is_free(self) -> None:
        async def slow_then_quick(conversation: Conversation) -> None:
            await conversation.hear()
            if conversation.is_first:
                await conversation.wait_for_the_end()
            conversation.say(http())

        async def scenario() -> None:
            async with (
                serving(slow_then_quick) as server,
                caller_of(server, max_connections=1) as caller,
            ):
                task = asyncio.create_task(caller.post("/x", b"{}"))
                while not server.received:
                    await asyncio.sleep(0.001)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert (await caller.post("/x", b"{}")).status == 200
            assert server.accepted == 2

        asyncio.run(scenario())

    def test_after_a_failure_are_opened_anew(self) -> None:
        async def scenario() -> None:
            raw = http(status="302 Found", headers={"Location": "/y"})
            async with serving(answering(raw, http())) as server, caller_of(server) as caller:
                for _ in range(3):
                    assert (await failure_of(caller.post("/x", b"{}"))).kind == "redirect"
            assert server.accepted == 3

        asyncio.run(scenario())

    def test_are_all_closed_at_the_end(self) -> None:
        async def scenario() -> None:
            async with serving(answering(http())) as server:
                async with caller_of(server) as caller:
                    await asyncio.gather(*(caller.get("/x") for _ in range(3)))
                await server.hung_up()
                with pytest.raises(RuntimeError, match="closed"):
                    await caller.get("/x")

        asyncio.run(scenario())
