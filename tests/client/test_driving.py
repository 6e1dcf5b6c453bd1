"""What a driver does with connections: how long it listens, and that it closes them."""

import asyncio
from types import AsyncGeneratorType

import httpx
import pytest

from llkd_client.address import find_address
from llkd_client.driving import _AsyncLine
from llkd_client.operations import Close, Open, Read
from llkd_client.requests import Request
from tests.client.parts import DATASET, Script, event, job, stream


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


@pytest.mark.parametrize("kind", ["sync", "async"])
class TestTimeout:
    def silences(self, kind: str, **options: float) -> list[float]:
        """Of a question, an upload and an event stream."""
        script = Script(httpx.Response(200, json=job()), DATASET, stream(event(1, "job.succeeded")))
        client = script.client(kind, **options)
        client.jobs.get("job_1")
        client.datasets.add_texts(["a text"], name="texts")
        list(client.jobs.events("job_1"))
        return [each.extensions["timeout"]["read"] for each in script.asked]

    def test_each_kind_of_request_has_its_own(self, kind):
        assert self.silences(kind) == [60.0, 600.0, 45.0]

    def test_that_of_questions_can_be_chosen(self, kind):
        assert self.silences(kind, timeout=300.0) == [300.0, 600.0, 45.0]
