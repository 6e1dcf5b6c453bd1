"""Which models' teachers can be asked at all, and what is told of the others."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import update

from app.predict.deferral.errors import DeferralOff, TeacherNotAskable
from core.db.base import db_now
from core.db.repositories.deferrals import DeferralRepository
from core.db.repositories.teachers import TeacherRepository
from core.db.session import Database
from core.db.tables import JobRow, ModelRow, TeacherRow
from core.egress.errors import TeacherUrlForbidden
from core.errors import Gone, NotFound, ServiceError
from core.ids import ModelId, TeacherId, TenantId, new_model_id
from tests.app.predict.deferral.parts import (
    LABELS,
    add_model,
    add_teacher,
    deferring,
    given,
    job_of,
    statuses,
    switch_on,
)
from tests.factories import TENANT
from tests.fault_server import FaultServer

KEY = "sk-canary-7f3a9c51d2e84b60-wxyz"


def check(
    database: Database, model: ModelId, url: str, *, tenant: TenantId = TENANT
) -> ServiceError | None:
    """What `check` raises; `answer` raises nothing and answers nothing where it does."""

    async def scenario() -> ServiceError | None:
        async with deferring(database, url) as deferral:
            try:
                await deferral.check(tenant, model)
            except ServiceError as error:
                assert statuses(await deferral.answer(tenant, model, ["a"])) == ["failed"]
                return error
            return None

    return asyncio.run(scenario())


class TestCheck:
    def test_a_model_that_was_switched_on_passes(
        self, database: Database, server: FaultServer
    ) -> None:
        assert check(database, given(database, server.url), server.url) is None

    def test_one_that_was_not_is_told_how(self, database: Database, server: FaultServer) -> None:
        model = add_model(database, server.url)
        error = check(database, model, server.url)
        assert isinstance(error, DeferralOff)
        assert error.status == 422
        assert f"PUT /models/{model}/deferral" in error.detail
        assert [item.pointer for item in error.errors] == ["/on_low_confidence"]
        assert server.asked == []

    @pytest.mark.parametrize(
        "teacher",
        [
            {"kind": "few_shot"},
            {"kind": "provided"},
            {"kind": "zero_shot"},
            {"kind": "ensemble", "teachers": [{"kind": "few_shot"}, {"kind": "zero_shot"}]},
        ],
    )
    def test_another_kind_of_teacher_is_named_with_what_may_be_done(
        self, database: Database, server: FaultServer, teacher: dict[str, Any]
    ) -> None:
        spec = {"labels": [{"name": name} for name in LABELS], "teacher": teacher}
        model = add_model(database, server.url, spec=spec)
        switch_on(database, model)
        error = check(database, model, server.url)
        assert isinstance(error, TeacherNotAskable)
        assert teacher["kind"] in error.detail
        assert '"abstain"' in error.detail
        assert [item.pointer for item in error.errors] == ["/on_low_confidence"]

    @pytest.mark.parametrize("known", [None, {}, {"rung": {"name": "of another time"}}])
    def test_a_job_that_did_not_note_how_it_asked_is_told(
        self, database: Database, server: FaultServer, known: dict[str, Any] | None
    ) -> None:
        model = given(database, server.url, known=known)
        assert isinstance(check(database, model, server.url), TeacherNotAskable)

    def test_a_job_that_took_over_answers_asks_as_the_one_that_bought_them(
        self, database: Database, server: FaultServer
    ) -> None:
        first = add_model(database, server.url)
        again = given(database, server.url, known=None, from_job=job_of(database, first))
        assert check(database, again, server.url) is None

    def test_a_job_of_another_version_is_told(
        self, database: Database, server: FaultServer
    ) -> None:
        model = given(database, server.url)
        with database.write() as session:
            session.execute(update(JobRow).values(spec={"labels": [], "sorcery": 1}))
        assert isinstance(check(database, model, server.url), TeacherNotAskable)

    def test_a_server_that_is_no_longer_listed_is_not_asked(
        self, database: Database, server: FaultServer
    ) -> None:
        model = given(database, server.url)
        error = check(database, model, "http://127.0.0.1:9/v1")
        assert isinstance(error, TeacherUrlForbidden)
        assert server.accepted == 0

    def test_unknown_foreign_and_deleted_models_are_told_apart_from_none_of_ours(
        self, database: Database, server: FaultServer
    ) -> None:
        model = given(database, server.url)
        assert isinstance(check(database, new_model_id(), server.url), NotFound)
        foreign = check(database, model, server.url, tenant=TenantId("other"))
        assert isinstance(foreign, NotFound)
        with database.write() as session:
            session.execute(update(ModelRow).values(deleted_at=db_now()))
        assert isinstance(check(database, model, server.url), Gone)

    def test_switched_off_it_asks_no_more(self, database: Database, server: FaultServer) -> None:
        model = given(database, server.url)
        with database.write() as session:
            assert DeferralRepository(session).switch_off(TENANT, model)
        assert isinstance(check(database, model, server.url), DeferralOff)
        assert server.asked == []

    def test_a_deleted_connection_took_its_key_along(
        self, database: Database, server: FaultServer
    ) -> None:
        teacher = add_teacher(database, server.url, KEY)
        model = given(database, server.url, teacher_id=teacher)
        assert check(database, model, server.url) is None
        with database.write() as session:
            assert TeacherRepository(session).tombstone(TENANT, TeacherId(teacher))
        error = check(database, model, server.url)
        assert isinstance(error, TeacherNotAskable)
        assert teacher in error.detail

    def test_a_key_that_cannot_be_opened_is_a_failure_of_ours(
        self, database: Database, server: FaultServer
    ) -> None:
        teacher = add_teacher(database, server.url, KEY)
        model = given(database, server.url, teacher_id=teacher)
        with database.write() as session:
            row = session.get(TeacherRow, teacher)
            assert row is not None
            row.sealed_key = {**(row.sealed_key or {}), "key_id": "lost"}

        async def scenario() -> list[str]:
            async with deferring(database, server.url) as deferral:
                return statuses(await deferral.answer(TENANT, model, ["a"]))

        assert asyncio.run(scenario()) == ["failed"]
        assert server.asked == []
