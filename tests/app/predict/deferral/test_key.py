"""The key goes to its server and nowhere else, and a new one counts at once."""

import asyncio
import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from core.db.repositories.teachers import TeacherRepository
from core.db.session import Database
from core.db.tables import TeacherRow
from core.ids import TeacherId
from core.logging import configure_logging
from tests.app.predict.deferral.parts import (
    add_teacher,
    deferring,
    given,
    sealed,
    statuses,
    stored,
)
from tests.factories import TENANT
from tests.fault_server import Asked, FaultServer, Reaction, completion, error, reply, says

KEY = "sk-canary-7f3a9c51d2e84b60-wxyz"
NEW_KEY = "sk-another-1b2c3d4e5f607182-qrst"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that the process logs, at every level."""
    handlers, level = logging.root.handlers[:], logging.root.level
    processors = structlog.get_config()
    stream = io.StringIO()
    configure_logging(stream=stream, level=logging.DEBUG)
    logging.root.setLevel(logging.DEBUG)
    yield stream
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.configure(**processors)


def replace_key(database: Database, teacher: str, key: str) -> None:
    with database.write() as session:
        row = session.get(TeacherRow, teacher)
        assert row is not None
        TeacherRepository(session).replace_key(
            TENANT, TeacherId(teacher), sealed_key=sealed(row, key), key_last4=key[-4:]
        )


class TestTheKey:
    def test_is_sent_to_its_server(self, database: Database, server: FaultServer) -> None:
        model = given(database, server.url, teacher_id=add_teacher(database, server.url, KEY))

        async def scenario() -> None:
            async with deferring(database, server.url) as deferral:
                assert statuses(await deferral.answer(TENANT, model, ["a"])) == ["answered"]

        asyncio.run(scenario())
        assert [asked.key for asked in server.asked] == [KEY]

    def test_a_new_one_is_used_by_the_next_request(
        self, database: Database, server: FaultServer
    ) -> None:
        # The old one is refused, after which the server would be left alone for minutes.
        server.react = lambda asked: error(401) if asked.key == KEY else says(reply(completion()))
        teacher = add_teacher(database, server.url, KEY)
        model = given(database, server.url, teacher_id=teacher)

        async def scenario() -> list[str]:
            async with deferring(database, server.url) as deferral:
                told = statuses(await deferral.answer(TENANT, model, ["a"]))
                told += statuses(await deferral.answer(TENANT, model, ["a"]))
                replace_key(database, teacher, NEW_KEY)
                return told + statuses(await deferral.answer(TENANT, model, ["a"]))

        assert asyncio.run(scenario()) == ["failed", "failed", "answered"]
        assert [asked.key for asked in server.asked] == [KEY, NEW_KEY]

    def test_a_server_that_repeats_it_is_neither_logged_nor_told_nor_stored(
        self, database: Database, server: FaultServer, log: io.StringIO
    ) -> None:
        def react(asked: Asked) -> Reaction:
            if asked.text == "model":
                return says(reply(completion() | {"model": f"echo {asked.key}"}))
            if asked.text == "error":
                return error(400, message=f"Incorrect key {asked.key}")
            return error(401, code=str(asked.key), message=f"Incorrect key {asked.key}")

        server.react = react
        model = given(database, server.url, teacher_id=add_teacher(database, server.url, KEY))

        async def scenario() -> None:
            async with deferring(database, server.url) as deferral:
                answers = [
                    *await deferral.answer(TENANT, model, ["model"]),
                    *await deferral.answer(TENANT, model, ["error"]),
                    *await deferral.answer(TENANT, model, ["other"]),
                ]
                logging.getLogger("app.predict").warning("about %r", vars(deferral))
            assert statuses(answers)[::2] == ["answered", "failed"]
            assert KEY not in repr(answers)

        asyncio.run(scenario())
        assert all(asked.key == KEY for asked in server.asked)
        assert "deferral_server_rests" in log.getvalue()
        assert KEY not in log.getvalue()
        assert KEY not in repr([vars(row) for row in stored(database)])
