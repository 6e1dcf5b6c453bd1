"""Few teachers are on the line, and a server that failed is asked again after a rest."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from app.predict.deferral.ledger import Ledger
from app.predict.deferral.line import Line
from app.predict.deferral.lines import Lines
from app.predict.deferral.posts import Posts, count_posts, counted
from app.predict.deferral.sources import Source
from app.predict.deferral.wire import LONGEST_REST_S, Wire
from core.calling.breaker import Park
from core.calling.caller import PacedCaller
from core.calling.policy import CallPolicy
from core.db.session import Database
from core.egress.allow_list import AllowList
from core.egress.outcome import CallFailed, Reply
from core.ids import ModelId, new_model_id
from llkd.teachers.chat.calling import CHAT
from tests.app.predict.deferral.parts import VAULT, given
from tests.factories import TENANT

URL = "http://127.0.0.1:9/v1"
ALLOWED = AllowList.parse(["http://127.0.0.1:9"])


def source_of(database: Database, model: ModelId) -> Source:
    return Ledger(database, ALLOWED).source(TENANT, model)[0]


def connect(source: Source) -> Line:
    return Line(source, allow_list=ALLOWED, vault=VAULT, deferral_s=10.0)


def is_closed(line: Line) -> bool:
    return line._caller._is_closed


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class TestLines:
    def test_the_one_used_longest_ago_leaves(self, sqlite_database: Database) -> None:
        first = source_of(sqlite_database, given(sqlite_database, URL))
        second, third = (replace(first, model_id=new_model_id()) for _ in "12")

        async def scenario() -> None:
            lines = Lines(connect, most=2)
            one, two = await lines.open(first), await lines.open(second)
            assert await lines.open(first) is one
            await lines.open(third)
            await turns()
            assert (is_closed(one), is_closed(two)) == (False, True)
            assert await lines.open(first) is one
            await lines.close()
            assert is_closed(one)

        asyncio.run(scenario())

    def test_one_in_use_is_closed_after_it(self, sqlite_database: Database) -> None:
        source = source_of(sqlite_database, given(sqlite_database, URL))
        other = replace(source, sealed_key=None, key_owner="somebody else")

        async def scenario() -> None:
            lines = Lines(connect)
            old = await lines.open(source)
            old.begin()
            new = await lines.open(other)
            await turns()
            assert new is not old
            assert not is_closed(old)
            old.end()
            await turns()
            assert is_closed(old)
            await lines.close()

        asyncio.run(scenario())

    def test_two_that_come_at_once_get_the_same(self, sqlite_database: Database) -> None:
        source = source_of(sqlite_database, given(sqlite_database, URL))

        async def scenario() -> None:
            lines = Lines(connect)
            one, two = await asyncio.gather(lines.open(source), lines.open(source))
            assert one is two
            await lines.close()

        asyncio.run(scenario())


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class TestARest:
    def wire(self, post: Any, clock: Clock, **policy: Any) -> Wire:
        given = {"attempts": 1, "park_after_failures": 2, "stay_away_s": 30.0} | policy
        return Wire(
            lambda: PacedCaller(post, CallPolicy(**given)), path="/v1", key=None, clock=clock
        )

    async def outcome(self, wire: Wire) -> str:
        try:
            called = await wire(CHAT, b"{}", tokens=1)
        except Park as park:
            return park.code
        return "answered" if called.failure is None else called.failure.kind

    def test_ends_and_the_server_is_asked_anew(self) -> None:
        posts: list[str] = []
        clock = Clock()

        async def post(path: str, body: bytes) -> Reply:
            posts.append(path)
            if len(posts) <= 2:
                raise CallFailed("connect", "nobody listens")
            return Reply(200, {}, b'{"choices": []}')

        async def scenario() -> list[str]:
            wire = self.wire(post, clock)
            told = [await self.outcome(wire) for _ in range(3)]
            clock.now += 29.9
            told.append(await self.outcome(wire))
            clock.now += 0.2
            told.append(await self.outcome(wire))
            return told

        silent = "teacher-unavailable"
        assert asyncio.run(scenario()) == ["gave_up", silent, silent, silent, "answered"]
        assert posts == ["/v1/chat/completions"] * 3

    def test_is_as_long_as_the_server_asks_for(self) -> None:
        clock = Clock()

        async def post(path: str, body: bytes) -> Reply:
            return Reply(429, {"retry-after": "100"}, b"{}")

        async def scenario() -> list[str]:
            wire = self.wire(post, clock, longest_wait_s=10.0)
            told = [await self.outcome(wire)]
            clock.now += 99
            return [*told, await self.outcome(wire)]

        assert asyncio.run(scenario()) == ["teacher-unavailable"] * 2

    def test_of_a_refused_key_ends_by_itself(self) -> None:
        posts: list[str] = []
        clock = Clock()

        async def post(path: str, body: bytes) -> Reply:
            posts.append(path)
            return Reply(401, {}, b"{}")

        async def scenario() -> None:
            wire = self.wire(post, clock)
            for _ in range(3):
                assert await self.outcome(wire) == "teacher-auth"
            assert len(posts) == 1
            clock.now += LONGEST_REST_S
            assert await self.outcome(wire) == "teacher-auth"
            assert len(posts) == 2

        asyncio.run(scenario())


class TestPosts:
    def test_count_only_what_may_be_billed(self) -> None:
        async def scenario() -> int:
            posts = Posts()
            count_posts(posts)

            async def replies(status: int) -> Reply:
                return Reply(status, {}, b"{}")

            async def fails(kind: Any) -> Reply:
                raise CallFailed(kind, "no")

            for status in (200, 400, 429, 503):
                await counted(partial(replies, status))
            for kind in ("dns", "connect", "tls", "forbidden", "reset", "timeout"):
                with suppress(CallFailed):
                    await counted(partial(fails, kind))
            return posts.maybe_billed

        # The 200, the reset and the timeout.
        assert asyncio.run(scenario()) == 3
