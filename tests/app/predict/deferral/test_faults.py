"""What a server, a database or an end does to those who wait: a status, in time, and no more."""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import CapturingLogger

from app.predict.deferral import line as lines
from app.predict.deferral.ledger import Ledger
from core.db.session import Database
from tests.app.predict.deferral.parts import (
    MICROS_AN_ANSWER,
    deferring,
    figures,
    given,
    make_deferral,
    statuses,
    stored,
)
from tests.factories import TENANT
from tests.fault_server import ANSWERS, Asked, FaultServer, error, hangs, late, once, resets


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


class TestAServerThatFails:
    def test_now_and_then_is_asked_again(self, database: Database, server: FaultServer) -> None:
        server.react = once(error(503))
        model = given(database, server.url)

        async def scenario() -> list[str]:
            async with deferring(database, server.url) as deferral:
                return statuses(await deferral.answer(TENANT, model, ["x"]))

        assert asyncio.run(scenario()) == ["answered"]
        assert figures(database, model) == (MICROS_AN_ANSWER, 0, 1, 0)

    def test_costs_nothing_and_is_not_remembered(
        self, database: Database, server: FaultServer
    ) -> None:
        server.react = lambda _: error(503)
        model = given(database, server.url)

        async def scenario() -> list[str]:
            async with deferring(database, server.url) as deferral:
                found = statuses(await deferral.answer(TENANT, model, ["x"]))
                server.react = lambda _: ANSWERS
                return found + statuses(await deferral.answer(TENANT, model, ["x"]))

        assert asyncio.run(scenario()) == ["failed", "answered"]
        assert figures(database, model) == (MICROS_AN_ANSWER, 0, 1, 0)
        assert len(stored(database)) == 1

    def test_is_left_alone_and_fails_at_once_meanwhile(
        self, database: Database, server: FaultServer
    ) -> None:
        server.react = lambda _: error(500)
        model = given(database, server.url)

        async def scenario() -> float:
            async with deferring(database, server.url) as deferral:
                await deferral.answer(TENANT, model, [f"text {i}" for i in range(20)])
                asked = len(server.asked)
                begun = time.monotonic()
                later = await deferral.answer(TENANT, model, [f"later {i}" for i in range(5)])
                took = time.monotonic() - begun
            assert statuses(later) == ["failed"] * 5
            assert len(server.asked) == asked
            return took

        # Far less than a server that is asked and fails twice, a second apart.
        assert asyncio.run(scenario()) < 5
        assert figures(database, model) == (0, 0, 0, 0)

    def test_or_refuses_the_key_is_logged_once_with_the_time_of_its_rest(
        self, database: Database, server: FaultServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = CapturingLogger()
        monkeypatch.setattr("app.predict.deferral.wire.log", log)
        server.react = lambda _: error(401)
        model = given(database, server.url)

        async def scenario() -> None:
            async with deferring(database, server.url) as deferral:
                for turn in range(3):
                    texts = [f"text {turn} {place}" for place in range(4)]
                    assert set(statuses(await deferral.answer(TENANT, model, texts))) == {"failed"}

        asyncio.run(scenario())
        assert [(call.args, call.kwargs) for call in log.calls] == [
            (("deferral_server_rests",), {"code": "teacher-auth", "seconds": 300.0})
        ]

    def test_and_nobody_listens(self, database: Database) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        model = given(database, url)

        async def scenario() -> list[str]:
            async with deferring(database, url) as deferral:
                return statuses(await deferral.answer(TENANT, model, ["a", "b"]))

        assert asyncio.run(scenario()) == ["failed", "failed"]
        assert figures(database, model) == (0, 0, 0, 0)

    def test_after_it_may_have_worked_is_paid_at_the_estimate(
        self, database: Database, server: FaultServer
    ) -> None:
        server.react = lambda _: resets
        model = given(database, server.url)

        async def scenario() -> list[str]:
            async with deferring(database, server.url) as deferral:
                return statuses(await deferral.answer(TENANT, model, ["x"]))

        assert asyncio.run(scenario()) == ["failed"]
        spent, held, calls, held_calls = figures(database, model)
        assert spent > 0
        assert (held, calls, held_calls) == (0, 1, 0)
        assert stored(database) == []


class TestAServerThatIsSlow:
    def test_is_waited_for_no_longer_than_was_said(
        self, database: Database, server: FaultServer
    ) -> None:
        server.react = lambda asked: hangs if asked.text == "slow" else ANSWERS
        model = given(database, server.url)

        async def scenario() -> None:
            # Long enough for one answer however busy this machine is.
            async with deferring(database, server.url, seconds=5.0) as deferral:
                begun = time.monotonic()
                answers = await deferral.answer(TENANT, model, ["quick", "slow"])
                took = time.monotonic() - begun
            assert statuses(answers) == ["answered", "timeout"]
            # The call itself is given three times as long.
            assert 4.9 < took < 10

        asyncio.run(scenario())

    def test_is_paid_and_what_it_says_late_is_kept(
        self, database: Database, server: FaultServer
    ) -> None:
        server.react = lambda _: late(1.6)
        model = given(database, server.url)

        async def scenario() -> list[str]:
            async with deferring(database, server.url, seconds=1.0) as deferral:
                found = statuses(await deferral.answer(TENANT, model, ["x"]))
                await until(lambda: bool(stored(database)))
                return found + statuses(await deferral.answer(TENANT, model, ["x"]))

        assert asyncio.run(scenario()) == ["timeout", "cached"]
        assert len(server.asked) == 1
        assert figures(database, model) == (MICROS_AN_ANSWER, 0, 1, 0)

    def test_is_not_asked_what_nobody_waits_for_any_more(
        self, database: Database, server: FaultServer
    ) -> None:
        server.react = lambda _: late(1.6)
        model = given(database, server.url, concurrency=1)

        async def scenario() -> None:
            async with deferring(database, server.url, seconds=1.0) as deferral:
                answers = await deferral.answer(TENANT, model, ["first", "second", "third"])
                assert statuses(answers) == ["timeout"] * 3
                await until(lambda: figures(database, model)[2] == 1)

        asyncio.run(scenario())
        assert [asked.text for asked in server.asked] == ["first"]
        assert figures(database, model) == (MICROS_AN_ANSWER, 0, 1, 0)

    def test_a_client_that_leaves_takes_only_its_own_texts_along(
        self, database: Database, server: FaultServer
    ) -> None:
        server.react = lambda _: late(0.5)
        model = given(database, server.url, concurrency=1)

        async def scenario() -> None:
            async with deferring(database, server.url) as deferral:
                leaver = asyncio.create_task(deferral.answer(TENANT, model, ["a", "b", "c"]))
                await until(lambda: bool(server.asked))
                stayer = asyncio.create_task(deferral.answer(TENANT, model, ["c"]))
                await asyncio.sleep(0.1)
                leaver.cancel()
                assert statuses(await stayer) == ["answered"]
                await until(lambda: len(stored(database)) == 2)

        asyncio.run(scenario())
        assert sorted(asked.text for asked in server.asked) == ["a", "c"]

    def test_no_more_texts_wait_than_may(
        self, database: Database, server: FaultServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.predict.deferral.dispatch.MOST_IN_FLIGHT", 3)
        model = given(database, server.url)

        async def scenario() -> list[list[str]]:
            async with deferring(database, server.url) as deferral:
                first = await deferral.answer(TENANT, model, ["a", "b", "c", "d", "e"])
                second = await deferral.answer(TENANT, model, ["d", "e"])
                return [statuses(first), statuses(second)]

        assert asyncio.run(scenario()) == [
            ["answered", "answered", "answered", "busy", "busy"],
            ["answered", "answered"],
        ]


class TestTheEnd:
    def test_pays_for_what_was_sent_and_frees_the_rest(
        self, database: Database, server: FaultServer
    ) -> None:
        server.react = lambda _: hangs
        model = given(database, server.url, concurrency=2)

        async def scenario() -> list[str]:
            async with deferring(database, server.url) as deferral:
                waiting = asyncio.create_task(deferral.answer(TENANT, model, ["a", "b", "c"]))
                await until(lambda: len(server.asked) == 2)
                assert figures(database, model)[3] == 2
            return statuses(await waiting)

        assert set(asyncio.run(scenario())) == {"timeout"}
        spent, held, calls, held_calls = figures(database, model)
        assert (held, calls, held_calls) == (0, 2, 0)
        assert spent > 0
        assert len(server.asked) == 2

    def test_waits_for_an_answer_that_comes_soon(
        self, database: Database, server: FaultServer
    ) -> None:
        server.react = lambda _: late(0.5)
        model = given(database, server.url)

        async def scenario() -> list[str]:
            async with deferring(database, server.url) as deferral:
                waiting = asyncio.create_task(deferral.answer(TENANT, model, ["a"]))
                await until(lambda: bool(server.asked))
            return statuses(await waiting)

        assert asyncio.run(scenario()) == ["answered"]
        assert figures(database, model) == (MICROS_AN_ANSWER, 0, 1, 0)

    def test_of_a_process_that_is_killed_leaves_the_hold(
        self, database: Database, server: FaultServer
    ) -> None:
        server.react = lambda _: hangs
        model = given(database, server.url, caps={"cap_calls": 1})

        async def killed() -> None:
            deferral = make_deferral(database, server.url)
            waiting = asyncio.create_task(deferral.answer(TENANT, model, ["a"]))
            await until(lambda: bool(server.asked))
            # All tasks end where they stand, as those of a killed process do.
            assert not waiting.done()

        async def after() -> list[str]:
            server.react = lambda _: ANSWERS
            async with deferring(database, server.url) as deferral:
                return statuses(await deferral.answer(TENANT, model, ["b"]))

        asyncio.run(killed())
        assert figures(database, model)[2:] == (0, 1)
        assert asyncio.run(after()) == ["budget"]


class TestADatabaseThatFails:
    def fail(self, *args: Any, **given: Any) -> Any:
        raise OperationalError("SELECT", {}, Exception("gone"))

    def test_after_the_answer_leaves_it_held_and_told(
        self, database: Database, server: FaultServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = given(database, server.url)
        monkeypatch.setattr(Ledger, "keep", self.fail)

        async def scenario() -> list[str]:
            async with deferring(database, server.url) as deferral:
                return statuses(await deferral.answer(TENANT, model, ["a"]))

        assert asyncio.run(scenario()) == ["answered"]
        spent, held, calls, held_calls = figures(database, model)
        assert (spent, calls, held_calls) == (0, 0, 1)
        assert held > MICROS_AN_ANSWER

    @pytest.mark.parametrize("act", ["source", "find", "hold"])
    def test_before_anything_is_asked_is_a_failure(
        self,
        database: Database,
        server: FaultServer,
        monkeypatch: pytest.MonkeyPatch,
        act: str,
    ) -> None:
        model = given(database, server.url)
        monkeypatch.setattr(Ledger, act, self.fail)

        async def scenario() -> list[str]:
            async with deferring(database, server.url) as deferral:
                return statuses(await deferral.answer(TENANT, model, ["a", "b"]))

        assert asyncio.run(scenario()) == ["failed", "failed"]
        assert server.asked == []

    def test_a_defect_leaves_nobody_waiting(
        self, database: Database, server: FaultServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def break_down(*_: Any) -> Any:
            raise RuntimeError("a defect")

        model = given(database, server.url)
        monkeypatch.setattr(lines.Line, "ask", break_down)

        async def scenario() -> list[str]:
            async with deferring(database, server.url) as deferral:
                return statuses(await deferral.answer(TENANT, model, ["a"]))

        assert asyncio.run(scenario()) == ["failed"]
        assert figures(database, model) == (0, 0, 0, 0)


def test_what_is_asked_is_one_text_a_request(database: Database, server: FaultServer) -> None:
    seen: list[Asked] = server.asked
    model = given(database, server.url)

    async def scenario() -> None:
        async with deferring(database, server.url) as deferral:
            await deferral.answer(TENANT, model, ["a", "b"])

    asyncio.run(scenario())
    assert sorted(asked.text for asked in seen) == ["a", "b"]
