"""What a step opens is closed with it."""

import asyncio
from types import AsyncGeneratorType

import httpx

from llkd_client.address import find_address
from llkd_client.driving import _AsyncLine
from llkd_client.operations import Close, Open, Read
from llkd_client.requests import Request
from tests.client.parts import Script, event, stream


class TestClose:
    def test_an_asynchronous_stream_is_ended_and_not_left_to_the_loop(self):
        async def ends() -> bool:
            transport = httpx.MockTransport(Script(stream(event(1), event(2))).serve)
            async with httpx.AsyncClient(transport=transport) as http:
                line = _AsyncLine(find_address(None, None), http)
                await line.do(Open(Request("GET", "/jobs/job_1/events")))
                await line.do(Read())
                pieces = line._pieces
                assert isinstance(pieces, AsyncGeneratorType)
                await line.do(Close())
                return pieces.ag_frame is None

        assert asyncio.run(ends())
