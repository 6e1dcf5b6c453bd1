"""A connection goes to an address that was checked, whatever a name server says next."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from core.egress.allow_list import AllowList
from core.egress.client import Caller
from core.egress.network import ProtocolT
from core.egress.outcome import CallFailed
from core.egress.urls import parse_base_url
from tests.core.egress.loopback import (
    HOST,
    ScriptedNetwork,
    answering,
    answering_once,
    http,
    self_signed,
    serving,
)
from tests.core.egress.test_addresses import METADATA_ADDRESSES, NEVER, PRIVATE, PUBLIC

NAME = "teacher.example"
SOME_PUBLIC = "93.184.216.34"
ANOTHER_PUBLIC = "8.8.8.8"


def public_caller(network: ScriptedNetwork, port: int = 443, **options: object) -> Caller:
    listed = AllowList.parse([f"{NAME}:{port}"])
    return Caller(parse_base_url(f"https://{NAME}:{port}"), listed, network=network, **options)  # type: ignore[arg-type]


def private_caller(network: ScriptedNetwork, port: int, **options: object) -> Caller:
    base = f"http://vllm:{port}"
    return Caller(parse_base_url(base), AllowList.parse([base]), network=network, **options)  # type: ignore[arg-type]


async def kind_of(caller: Caller) -> str:
    async with caller:
        with pytest.raises(CallFailed) as failed:
            await caller.get("/models", timeout_s=5)
    return failed.value.kind


class TestAPublicName:
    @pytest.mark.parametrize("address", PRIVATE + NEVER)
    def test_with_one_bad_address_is_not_called_at_all(self, address: str) -> None:
        async def scenario() -> None:
            for answer in ([address], [SOME_PUBLIC, address], [address, SOME_PUBLIC]):
                network = ScriptedNetwork(answer)
                assert await kind_of(public_caller(network)) == "forbidden"
                assert network.dialled == []

        asyncio.run(scenario())

    def test_that_turns_private_between_two_calls_is_not_called_again(self, tmp_path: Path) -> None:
        identity = self_signed(NAME, folder=tmp_path)

        async def scenario() -> None:
            async with (
                serving(answering_once(http()), tls=identity.server) as server,
                serving() as victim,
            ):
                network = ScriptedNetwork([SOME_PUBLIC], [HOST], leads={SOME_PUBLIC: server.port})
                async with public_caller(network, victim.port, tls=identity.client) as caller:
                    assert (await caller.get("/models")).status == 200
                    await server.hung_up()
                    with pytest.raises(CallFailed) as failed:
                        await caller.get("/models")
                assert failed.value.kind == "forbidden"
                assert network.asked == [NAME, NAME]
                assert network.dialled == [SOME_PUBLIC]
                assert victim.accepted == 0

        asyncio.run(scenario())

    def test_that_turns_private_after_the_check_is_called_where_it_was_checked(
        self, tmp_path: Path
    ) -> None:
        identity = self_signed(NAME, folder=tmp_path)

        async def scenario() -> None:
            async with (
                serving(answering(http()), tls=identity.server) as server,
                serving() as victim,
            ):
                network = ScriptedNetwork([SOME_PUBLIC], [HOST], leads={SOME_PUBLIC: server.port})
                async with public_caller(network, victim.port, tls=identity.client) as caller:
                    await caller.get("/models")
                # One question, and its answer is what was connected to.
                assert (network.asked, network.dialled) == ([NAME], [SOME_PUBLIC])
                assert victim.accepted == 0

        asyncio.run(scenario())


class TestAPrivateName:
    def test_is_called_in_the_operators_network(self) -> None:
        async def scenario() -> None:
            async with serving(answering(http())) as server:
                network = ScriptedNetwork([HOST])
                async with private_caller(network, server.port) as caller:
                    assert (await caller.get("/models")).status == 200
                assert server.received[0].headers["host"] == f"vllm:{server.port}"

        asyncio.run(scenario())

    @pytest.mark.parametrize("address", PUBLIC + METADATA_ADDRESSES)
    def test_that_leads_out_of_it_or_to_metadata_is_not_called(self, address: str) -> None:
        async def scenario() -> None:
            async with serving() as server:
                for answer in ([address], [HOST, address]):
                    network = ScriptedNetwork(answer)
                    assert await kind_of(private_caller(network, server.port)) == "forbidden"
                    assert network.dialled == []
                assert server.accepted == 0

        asyncio.run(scenario())

    def test_does_not_open_the_network_for_other_names(self) -> None:
        async def scenario() -> None:
            listed = AllowList.parse(["http://vllm:8000", NAME])
            network = ScriptedNetwork([HOST])
            caller = Caller(parse_base_url(f"https://{NAME}"), listed, network=network)
            assert await kind_of(caller) == "forbidden"
            assert network.dialled == []

        asyncio.run(scenario())


class TestANameOfTheSystem:
    def test_is_resolved_and_called(self) -> None:
        async def scenario() -> None:
            async with serving(answering(http())) as server:
                base = f"http://localhost:{server.port}"
                async with Caller(parse_base_url(base), AllowList.parse([base])) as caller:
                    # It may stand for ::1 too, where nobody listens.
                    assert (await caller.get("/models")).status == 200

        asyncio.run(scenario())


class TestANameWithoutAnAddress:
    @pytest.mark.parametrize("answer", [[], OSError("no such name"), asyncio.Event()])
    def test_fails_of_its_name(self, answer: object) -> None:
        class Network(ScriptedNetwork):
            async def resolve(self, host: str, port: int) -> Sequence[str]:
                if isinstance(answer, asyncio.Event):
                    await answer.wait()
                if isinstance(answer, OSError):
                    raise answer
                return []

        async def scenario() -> None:
            network = Network()
            assert await kind_of(public_caller(network, connect_s=0.05)) == "dns"
            assert network.dialled == []

        asyncio.run(scenario())


class TestAnAddress:
    def test_that_takes_no_connection_leaves_the_next_one_its_turn(self) -> None:
        async def scenario() -> None:
            async with serving(answering(http())) as server, serving() as other:
                network = ScriptedNetwork(["10.0.0.1", HOST], leads={"10.0.0.1": 1})
                async with private_caller(network, server.port) as caller:
                    assert (await caller.get("/models")).status == 200
                assert network.dialled == ["10.0.0.1", HOST]
                assert other.accepted == 0

        asyncio.run(scenario())

    def test_that_never_answers_costs_only_its_share_of_the_time(self) -> None:
        class Network(ScriptedNetwork):
            async def connect(
                self,
                protocol: Callable[[], ProtocolT],
                address: str,
                port: int,
                *,
                tls: ssl.SSLContext | None,
                server_name: str,
            ) -> ProtocolT:
                if address == "10.0.0.1":
                    await asyncio.Event().wait()
                return await super().connect(
                    protocol, address, port, tls=tls, server_name=server_name
                )

        async def scenario() -> None:
            async with serving(answering(http())) as server:
                network = Network(["10.0.0.1", HOST])
                async with private_caller(network, server.port, connect_s=0.5) as caller:
                    assert (await caller.get("/models")).status == 200
                alone = Network(["10.0.0.1"])
                assert await kind_of(private_caller(alone, 80, connect_s=0.05)) == "connect"

        asyncio.run(scenario())

    def test_named_several_times_is_tried_once_and_few_are_tried_at_all(self) -> None:
        async def scenario() -> None:
            many = [f"10.0.0.{n}" for n in range(1, 100)]
            network = ScriptedNetwork(["10.0.0.1", *many], leads=dict.fromkeys(many, 1))
            assert await kind_of(private_caller(network, 80)) == "connect"
            assert network.dialled == many[:4]

        asyncio.run(scenario())
