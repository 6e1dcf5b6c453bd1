"""Trying a stored teacher: a sample question, and what is to be said of the answer."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import anyio.to_thread
from pydantic import SecretStr

from app.teachers.errors import TooManyTests
from app.teachers.schemas import TeacherFailure, TeacherTest
from app.teachers.service import find_teacher
from app.teachers.wire import ProbeEnded, Seen, Wire
from core.db.repositories.teachers import TeacherRepository, key_owner
from core.db.session import Database
from core.db.tables import TeacherRow
from core.egress.allow_list import AllowList
from core.egress.client import Caller
from core.egress.errors import InvalidTeacherUrl, TeacherUrlForbidden
from core.egress.urls import Endpoint, parse_base_url
from core.ids import TenantId
from core.logging import REDACTED, hide_in_logs
from core.secrets import SecretBox, Vault
from llkd.teachers.chat.errors import RungUnavailable
from llkd.teachers.chat.ladder import probe

# A person waits for it, and so may a proxy.
TOTAL_SECONDS = 20.0
MOST_TESTS = 16


class ProbePlaces:
    """How many tests are under way in this process. Used on the event loop alone."""

    def __init__(self, most: int = MOST_TESTS) -> None:
        self._most = most
        self._open = 0

    @contextmanager
    def taken(self) -> Iterator[None]:
        """A place, for as long as the test lasts.

        Raises:
            TooManyTests: none is free.
        """
        if self._open >= self._most:
            raise TooManyTests(self._open)
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1


async def run_test(
    database: Database,
    vault: Vault,
    allow_list: AllowList,
    *,
    tenant: TenantId,
    teacher_id: str,
    timeout_s: float,
) -> TeacherTest:
    """Probe a teacher's server and store what was found; no transaction is open meanwhile.

    Raises:
        NotFound, Gone: as `find_teacher`.
    """
    row = await anyio.to_thread.run_sync(_read, database, tenant, teacher_id)
    found = await probe_teacher(row, vault, allow_list, timeout_s=timeout_s)
    await anyio.to_thread.run_sync(_note, database, row, found)
    return found


async def probe_teacher(
    row: TeacherRow, vault: Vault, allow_list: AllowList, *, timeout_s: float
) -> TeacherTest:
    """What the row's server answers, with the row's key; a failure of the server's is a finding."""
    key = _opened(row, vault)
    try:
        # The operator's list may have changed since the teacher was stored.
        endpoint = parse_base_url(row.base_url)
        allow_list.reach(endpoint)
    except (InvalidTeacherUrl, TeacherUrlForbidden) as error:
        forbidden = TeacherFailure(code="teacher-url-forbidden", message=error.detail)
        return _told(Seen(), failure=forbidden)
    root = Endpoint(endpoint.scheme, endpoint.host, endpoint.port)
    async with Caller(root, allow_list, key=key, max_connections=1) as caller:
        wire = Wire(caller, path=endpoint.path, timeout_s=timeout_s)
        rung, failure = await _climb(wire, row.model, timeout_s=timeout_s)
    return _told(wire.seen, rung=rung, failure=failure, key=key)


async def _climb(
    wire: Wire, model: str, *, timeout_s: float
) -> tuple[str | None, TeacherFailure | None]:
    """The best rung that holds, or why none does."""
    try:
        # The wire keeps the time; this is for what it cannot see.
        async with asyncio.timeout(timeout_s + 1):
            return (await probe(wire, model=model)).rung.name, None
    except ProbeEnded as ended:
        return None, TeacherFailure(code=ended.code, message=str(ended))
    except RungUnavailable as error:
        if wire.seen.latency_ms is None:
            message = f"The server refuses every question (HTTP {wire.seen.status})."
            return None, TeacherFailure(code="teacher-refused", message=message)
        return None, TeacherFailure(code="teacher-capability", message=str(error))
    except TimeoutError:
        message = f"The server did not answer within {timeout_s:g} seconds."
        return None, TeacherFailure(code="teacher-timeout", message=message)


def _told(
    seen: Seen,
    *,
    rung: str | None = None,
    failure: TeacherFailure | None = None,
    key: SecretStr | None = None,
) -> TeacherTest:
    return TeacherTest(
        object="teacher_test",
        ok=failure is None,
        tested_at=datetime.now(UTC),
        reachable=seen.reachable,
        status=seen.status,
        model=_without(key, seen.model),
        rung=rung,
        latency_ms=seen.latency_ms,
        input_tokens=seen.input_tokens,
        output_tokens=seen.output_tokens,
        failure=failure,
    )


def _without(key: SecretStr | None, said: str | None) -> str | None:
    """What a server said, and not the key that it may have put there."""
    if key is None or said is None:
        return said
    return said.replace(key.get_secret_value(), REDACTED)


def _opened(row: TeacherRow, vault: Vault) -> SecretStr | None:
    if row.sealed_key is None:
        return None
    key = vault.open(SecretBox.from_json(row.sealed_key), owner=key_owner(row))
    hide_in_logs(key.get_secret_value())
    return key


def _read(database: Database, tenant: TenantId, teacher_id: str) -> TeacherRow:
    with database.read() as session:
        return find_teacher(session, tenant, teacher_id)


def _note(database: Database, row: TeacherRow, found: TeacherTest) -> None:
    with database.write() as session:
        TeacherRepository(session).note_test(
            row.tenant_id, row.id, found.model_dump(mode="json"), of=row.updated_at
        )
