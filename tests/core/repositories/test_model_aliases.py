from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from sqlalchemy import select, update

from core.db.base import db_now
from core.db.repositories.model_aliases import ModelAliasRepository
from core.db.repositories.models import LATEST, ModelRepository
from core.db.session import Database
from core.db.tables import ModelRow
from core.ids import ModelId, TenantId
from tests.core.repositories.test_models import given_jobs, register
from tests.factories import TENANT

OTHER = TenantId("other")


def given_models(database: Database, count: int) -> list[ModelId]:
    return [register(database, job).id for job in given_jobs(database, count)]


def pointed(database: Database) -> dict[str, ModelId]:
    with database.read() as session:
        found = ModelAliasRepository(session).of_name(TENANT, "tickets")
        return {pointer.alias.alias: pointer.alias.model_id for pointer in found}


def delete(database: Database, model_id: ModelId) -> None:
    with database.write() as session:
        aliases = ModelAliasRepository(session)
        assert aliases.hold(TENANT, "tickets")
        model = session.get(ModelRow, model_id)
        assert model is not None
        aliases.delete_model(model)


class TestHold:
    def test_a_name_that_no_model_ever_had_cannot_be_held(self, database: Database) -> None:
        given_models(database, 1)
        with database.write() as session:
            aliases = ModelAliasRepository(session)
            assert aliases.hold(TENANT, "tickets")
            assert not aliases.hold(TENANT, "mails")
            assert not aliases.hold(OTHER, "tickets")

    def test_the_second_who_holds_sees_what_the_first_did(self, database: Database) -> None:
        first, second = given_models(database, 2)
        is_held = Event()

        def move() -> None:
            with database.write() as session:
                assert ModelAliasRepository(session).hold(TENANT, "tickets")
                is_held.set()
                ModelRepository(session).point(TENANT, "tickets", alias="a", model_id=first)

        def look() -> ModelId | None:
            assert is_held.wait(10)
            with database.write() as session:
                aliases = ModelAliasRepository(session)
                assert aliases.hold(TENANT, "tickets")
                found = aliases.get(TENANT, "tickets", alias="a")
                return None if found is None else found.alias.model_id

        with ThreadPoolExecutor(2) as threads:
            looked, moved = threads.submit(look), threads.submit(move)
            moved.result(30)
            assert looked.result(30) == first
        assert pointed(database) == {"a": first, LATEST: second}

    def test_a_deleted_models_name_can_still_be_held(self, database: Database) -> None:
        [only] = given_models(database, 1)
        delete(database, only)
        with database.write() as session:
            assert ModelAliasRepository(session).hold(TENANT, "tickets")


class TestDeleteModel:
    def test_latest_moves_only_if_it_was_there(self, database: Database) -> None:
        first, second, third = given_models(database, 3)
        delete(database, first)
        assert pointed(database) == {LATEST: third}
        delete(database, third)
        assert pointed(database) == {LATEST: second}

    def test_with_the_last_version_it_stays_and_is_not_told(self, database: Database) -> None:
        [only] = given_models(database, 1)
        delete(database, only)
        assert pointed(database) == {}
        with database.read() as session:
            row = ModelRepository(session).resolve(TENANT, "tickets")
            assert row is not None
            assert row.id == only
            assert row.deleted_at is not None
        [newer] = given_models(database, 1)
        assert pointed(database) == {LATEST: newer}

    def test_another_names_latest_stays(self, database: Database) -> None:
        [job] = given_jobs(database, 1)
        mail = register(database, job, name="mails").id
        for model_id in given_models(database, 2):
            delete(database, model_id)
        with database.read() as session:
            found = ModelAliasRepository(session).get(TENANT, "mails", alias=LATEST)
        assert found is not None
        assert (found.alias.model_id, found.version) == (mail, 1)


class TestReadAliases:
    def test_they_come_with_versions_and_in_order(self, database: Database) -> None:
        first, second = given_models(database, 2)
        with database.write() as session:
            for alias, model_id in (("b", first), ("z", second), ("a", second)):
                ModelRepository(session).point(TENANT, "tickets", alias=alias, model_id=model_id)
        with database.read() as session:
            aliases = ModelAliasRepository(session)
            told = [(each.alias.alias, each.version) for each in aliases.of_name(TENANT, "tickets")]
            assert told == [("a", 2), ("b", 1), (LATEST, 2), ("z", 2)]
            assert aliases.of_name(OTHER, "tickets") == []

    def test_a_removed_one_is_not_there(self, database: Database) -> None:
        [model_id] = given_models(database, 1)
        with database.write() as session:
            ModelRepository(session).point(TENANT, "tickets", alias="a", model_id=model_id)
        with database.write() as session:
            ModelAliasRepository(session).remove(TENANT, "tickets", alias="a")
        assert pointed(database) == {LATEST: model_id}

    @pytest.mark.parametrize("database", ["sqlite"], indirect=True)
    def test_latest_is_not_removed(self, database: Database) -> None:
        with database.write() as session, pytest.raises(AssertionError):
            ModelAliasRepository(session).remove(TENANT, "tickets", alias=LATEST)

    @pytest.mark.parametrize("database", ["sqlite"], indirect=True)
    def test_one_at_a_deleted_model_is_not_told(self, database: Database) -> None:
        given_models(database, 1)
        with database.write() as session:
            session.execute(update(ModelRow).values(deleted_at=db_now()))
        assert pointed(database) == {}
        with database.read() as session:
            assert session.scalars(select(ModelRow.deleted_at)).one() is not None
