"""A teacher's key goes to its one endpoint, and is told to nobody else."""

import asyncio
import logging
import traceback
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from core.egress.allow_list import AllowList
from core.egress.client import Caller
from core.egress.outcome import CallFailed
from core.egress.urls import parse_base_url
from core.errors import ValidationFailed
from tests.core.egress.loopback import (
    HOST,
    Script,
    ScriptedNetwork,
    answering,
    answering_once,
    http,
    serving,
    silent,
)

CANARY = "sk-canary-7c1e55aa90d34b7f"
WAYS_TO_FAIL: dict[str, Script] = {
    "reset": answering_once(b""),
    "timeout": silent,
    "redirect": answering(http(status="302 F", headers={"Location": "http://169.254.169.254"})),
    "protocol": answering(b"\x00\r\n\r\n"),
    "too_large": answering(http(b"x" * 2000)),
}


def caller_of(port: int, key: str = CANARY, **options: object) -> Caller:
    base = f"http://{HOST}:{port}"
    return Caller(
        parse_base_url(base),
        AllowList.parse([base]),
        key=SecretStr(key),
        max_body_bytes=1000,
        **options,  # type: ignore[arg-type]
    )


def told_by(error: BaseException) -> Iterator[str]:
    """All that a log could make of an error: its chain, with the locals of every frame."""
    whole = traceback.TracebackException.from_exception(error, capture_locals=True)
    yield "".join(whole.format())
    seen: BaseException | None = error
    while seen is not None:
        yield f"{seen} {seen!r} {seen.args} {vars(seen)}"
        seen = seen.__cause__ or seen.__context__


class TestTheKey:
    def test_is_sent_to_its_server(self) -> None:
        async def scenario() -> None:
            async with serving(answering(http())) as server, caller_of(server.port) as caller:
                await caller.post("/x", b"{}")
                await caller.get("/x")
            sent = [request.headers["authorization"] for request in server.received]
            assert sent == [f"Bearer {CANARY}"] * 2

        asyncio.run(scenario())

    def test_is_sent_to_no_other_server(self) -> None:
        async def scenario() -> None:
            async with serving(answering(http())) as other:
                elsewhere = {"Location": f"http://{HOST}:{other.port}/x", "Refresh": "0"}
                raw = http(status="307 Elsewhere", headers=elsewhere)
                async with serving(answering(raw)) as server, caller_of(server.port) as caller:
                    with pytest.raises(CallFailed):
                        await caller.post("/x", b"{}")
                assert (len(server.received), other.accepted) == (1, 0)

        asyncio.run(scenario())

    @pytest.mark.parametrize("kind", WAYS_TO_FAIL)
    def test_is_in_no_error_and_no_log(self, kind: str, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)

        async def scenario() -> CallFailed:
            async with serving(WAYS_TO_FAIL[kind]) as server, caller_of(server.port) as caller:
                with pytest.raises(CallFailed) as failed:
                    await caller.post("/x", b"{}", timeout_s=0.2)
            return failed.value

        error = asyncio.run(scenario(), debug=True)
        assert error.kind == kind
        assert [text for text in told_by(error) if CANARY in text] == []
        assert CANARY not in caplog.text

    @pytest.mark.parametrize(
        ("network", "kind"),
        [
            (ScriptedNetwork(["169.254.169.254"]), "forbidden"),
            (ScriptedNetwork([]), "dns"),
            (ScriptedNetwork([HOST], leads={HOST: 1}), "connect"),
        ],
    )
    def test_is_in_no_error_of_opening(self, network: ScriptedNetwork, kind: str) -> None:
        async def scenario() -> CallFailed:
            async with caller_of(8000, network=network) as caller:
                with pytest.raises(CallFailed) as failed:
                    await caller.post("/x", b"{}")
            return failed.value

        error = asyncio.run(scenario())
        assert error.kind == kind
        assert [text for text in told_by(error) if CANARY in text] == []

    def test_is_not_shown_by_its_caller(self) -> None:
        caller = caller_of(8000)
        assert repr(caller) == f"Caller('http://{HOST}:8000')"
        assert CANARY not in f"{caller} {vars(caller)}"

    @pytest.mark.parametrize("bad", ["\r\nHost: evil", "\n", " ", "\t", "\x00", "é", "\u200b"])
    def test_cannot_smuggle_a_header_and_is_not_quoted(self, bad: str) -> None:
        for key in (CANARY + bad, bad + CANARY, CANARY + bad + CANARY):
            with pytest.raises(ValidationFailed) as refused:
                caller_of(8000, key)
            assert CANARY not in "".join(
                text for text in [str(refused.value), refused.value.detail]
            )
            assert CANARY not in repr(refused.value)

    def test_is_not_empty(self) -> None:
        with pytest.raises(ValidationFailed):
            caller_of(8000, "")
