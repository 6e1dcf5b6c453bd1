"""Caps hold, whoever asks and however many at once."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.predict.deferral.ledger import Ledger
from app.predict.deferral.line import Line
from core.db.session import Database
from core.egress.allow_list import AllowList
from core.ids import ModelId
from llkd.types import Question
from tests.app.predict.deferral.parts import (
    MICROS_AN_ANSWER,
    VAULT,
    deferring,
    figures,
    given,
    statuses,
    switch_on,
)
from tests.factories import TENANT
from tests.fault_server import FaultServer, late

PROCESSES, TEXTS, CAP = 3, 10, 11


def most_micros(database: Database, model: ModelId, url: str, *, text: str = "text 0") -> int:
    """What is held for a text of this length."""
    allowed = AllowList.parse([url.removesuffix("/v1")])
    line = Line(
        Ledger(database, allowed).source(TENANT, model)[0],
        allow_list=allowed,
        vault=VAULT,
        deferral_s=10.0,
    )
    return line.most_micros(Question(text))


class TestCaps:
    def test_end_the_asking_at_exactly_their_number(
        self, database: Database, server: FaultServer
    ) -> None:
        server.react = lambda _: late(0.05)
        model = given(database, server.url, caps={"cap_calls": CAP})
        together = threading.Barrier(PROCESSES)

        async def scenario(process: int) -> list[str]:
            own = Database(database.url)
            async with deferring(own, server.url) as deferral:
                together.wait(timeout=60)
                texts = [f"text {process} {place}" for place in range(TEXTS)]
                told = statuses(await deferral.answer(TENANT, model, texts))
            own.dispose()
            return told

        with ThreadPoolExecutor(PROCESSES) as pool:
            runs = [pool.submit(asyncio.run, scenario(process)) for process in range(PROCESSES)]
            told = [status for run in runs for status in run.result()]
        assert told.count("answered") == CAP
        assert told.count("budget") == PROCESSES * TEXTS - CAP
        assert len(server.asked) == CAP
        assert figures(database, model) == (CAP * MICROS_AN_ANSWER, 0, CAP, 0)

    def test_in_money_are_never_passed(self, database: Database, server: FaultServer) -> None:
        model = given(database, server.url)
        # The most that a call can cost has to fit, so the end of a cap cannot be spent.
        cap = most_micros(database, model, server.url) + 5 * MICROS_AN_ANSWER
        switch_on(database, model, cap_micros=cap)
        used: list[int] = []
        server.look = lambda _: used.append(sum(figures(database, model)[:2]))

        async def scenario() -> list[str]:
            told: list[str] = []
            async with deferring(database, server.url) as deferral:
                for place in range(10):
                    texts = [f"text {place}", f"else {place}"]
                    told += statuses(await deferral.answer(TENANT, model, texts))
            return told

        told = asyncio.run(scenario())
        spent, held, calls, _ = figures(database, model)
        assert max(used) <= cap
        # In pairs of which the second waits until the first one's hold is paid.
        assert calls == told.count("answered") == len(server.asked) == 6
        assert (spent, held) == (calls * MICROS_AN_ANSWER, 0)

    def test_of_nothing_left_ask_nothing_but_tell_what_is_known(
        self, database: Database, server: FaultServer
    ) -> None:
        model = given(database, server.url, caps={"cap_calls": 1})

        async def scenario() -> list[str]:
            async with deferring(database, server.url) as deferral:
                await deferral.answer(TENANT, model, ["known"])
                return statuses(await deferral.answer(TENANT, model, ["known", "new"]))

        assert asyncio.run(scenario()) == ["cached", "budget"]
        assert len(server.asked) == 1

    def test_that_are_raised_hold_from_then_on(
        self, database: Database, server: FaultServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # However long what was refused is remembered.
        monkeypatch.setattr("app.predict.deferral.purse.BROKE_S", 3600.0)
        model = given(database, server.url, caps={"cap_calls": 1})

        async def scenario() -> list[str]:
            async with deferring(database, server.url) as deferral:
                told = statuses(await deferral.answer(TENANT, model, ["a"]))
                told += statuses(await deferral.answer(TENANT, model, ["b"]))
                switch_on(database, model, cap_calls=2)
                told += statuses(await deferral.answer(TENANT, model, ["b"]))
                return told + statuses(await deferral.answer(TENANT, model, ["c"]))

        assert asyncio.run(scenario()) == ["answered", "budget", "answered", "budget"]

    def test_that_a_long_text_does_not_fit_end_the_asking_of_it_alone(
        self, database: Database, server: FaultServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.predict.deferral.purse.BROKE_S", 3600.0)
        model = given(database, server.url)
        # Room for one short text at a time, beside what five of them are paid.
        cap = most_micros(database, model, server.url, text="s2") + 5 * MICROS_AN_ANSWER
        switch_on(database, model, cap_micros=cap)

        async def scenario() -> list[str]:
            async with deferring(database, server.url) as deferral:
                huge = "word " * 200_000
                told = statuses(await deferral.answer(TENANT, model, [huge, "s2", "s3", "s4"]))
                told += statuses(await deferral.answer(TENANT, model, ["s5", huge + "more"]))
                return told

        assert asyncio.run(scenario()) == ["budget", *["answered"] * 4, "budget"]
        assert sorted(asked.text for asked in server.asked) == ["s2", "s3", "s4", "s5"]

    def test_used_up_are_not_looked_at_for_every_text(
        self, database: Database, server: FaultServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = given(database, server.url, caps={"cap_calls": 1}, concurrency=1)

        async def scenario() -> tuple[list[str], int]:
            async with deferring(database, server.url) as deferral:
                ledger, tried = deferral._ledger, 0
                hold = ledger.hold

                def counted(*args, **given):
                    nonlocal tried
                    tried += 1
                    return hold(*args, **given)

                monkeypatch.setattr(ledger, "hold", counted)
                texts = [f"text {place}" for place in range(200)]
                return statuses(await deferral.answer(TENANT, model, texts)), tried

        told, tried = asyncio.run(scenario())
        assert told.count("budget") == 199
        assert tried < 20
