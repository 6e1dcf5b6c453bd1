"""Over TLS a server must be the one that its URL names; the checked address changes nothing."""

import asyncio
import ssl
from pathlib import Path

import pytest

from core.egress.allow_list import AllowList
from core.egress.client import Caller
from core.egress.outcome import CallFailed
from core.egress.urls import parse_base_url
from tests.core.egress.loopback import (
    HOST,
    Conversation,
    ScriptedNetwork,
    answering,
    answering_once,
    http,
    self_signed,
    serving,
)

NAME = "gpu.corp.example"


def caller_of(name: str, port: int, *, tls: ssl.SSLContext | None = None) -> Caller:
    base = f"https://{name}:{port}"
    return Caller(
        parse_base_url(base),
        AllowList.parse([f"{base}=private"]),
        network=ScriptedNetwork([HOST]),
        tls=tls,
    )


async def refusal_of(caller: Caller) -> CallFailed:
    async with caller:
        with pytest.raises(CallFailed) as failed:
            await caller.get("/models", timeout_s=5)
    return failed.value


class TestAServer:
    @pytest.mark.parametrize("name", [NAME, HOST])
    def test_that_is_the_one_named_is_called_by_its_name(self, name: str, tmp_path: Path) -> None:
        identity = self_signed(name, folder=tmp_path)
        indicated: list[str | None] = []
        identity.server.sni_callback = lambda _, given, __: indicated.append(given)

        async def scenario() -> None:
            async with serving(answering(http()), tls=identity.server) as server:
                async with caller_of(name, server.port, tls=identity.client) as caller:
                    for _ in range(3):
                        assert (await caller.get("/models")).status == 200
                assert server.accepted == 1
                assert server.received[0].headers["host"] == f"{name}:{server.port}"

        asyncio.run(scenario())
        # Addresses are not indicated (RFC 6066, section 3).
        assert indicated == [name if name == NAME else None]

    def test_that_vouches_for_itself_is_refused(self, tmp_path: Path) -> None:
        identity = self_signed(NAME, folder=tmp_path)

        async def scenario() -> None:
            async with serving(answering(http()), tls=identity.server) as server:
                failed = await refusal_of(caller_of(NAME, server.port))
                assert failed.kind == "tls"
                assert "self-signed certificate" in str(failed)
                assert server.received == []

        asyncio.run(scenario())

    def test_that_is_another_one_is_refused(self, tmp_path: Path) -> None:
        identity = self_signed("other.corp.example", folder=tmp_path)

        async def scenario() -> None:
            async with serving(answering(http()), tls=identity.server) as server:
                failed = await refusal_of(caller_of(NAME, server.port, tls=identity.client))
                assert (failed.kind, server.received) == ("tls", [])

        asyncio.run(scenario())

    def test_that_speaks_no_tls_is_refused(self) -> None:
        async def script(conversation: Conversation) -> None:
            conversation.say(http(status="400 Bad Request"))
            await conversation.wait_for_the_end()

        async def scenario() -> None:
            async with serving(script) as server:
                assert (await refusal_of(caller_of(NAME, server.port))).kind == "tls"

        asyncio.run(scenario())

    def test_that_ended_while_idle_is_connected_to_anew(self, tmp_path: Path) -> None:
        identity = self_signed(NAME, folder=tmp_path)

        async def scenario() -> None:
            async with serving(answering_once(http()), tls=identity.server) as server:
                async with caller_of(NAME, server.port, tls=identity.client) as caller:
                    for _ in range(3):
                        assert (await caller.get("/models")).status == 200
                        await server.hung_up()
                assert server.accepted == 3

        asyncio.run(scenario())
