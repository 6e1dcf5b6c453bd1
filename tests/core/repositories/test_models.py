from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select, update

from core.db.base import db_now
from core.db.repositories.models import LATEST, ModelRepository, NewModel
from core.db.session import Database
from core.db.tables import ModelAliasRow, ModelRow
from core.ids import JobId, ModelId, TenantId
from core.lifecycle import JobState
from tests.factories import TENANT, make_job

OTHER = TenantId("other")


def new_model(job_id: JobId, **given: Any) -> NewModel:
    values: dict[str, Any] = {
        "name": "tickets",
        "artifact": "4" * 64,
        "labels": ["billing", "tech"],
        "base_model": "minilm",
        "metrics": {"macro_f1": 0.9},
        "export": {"max_difference": 1e-6},
        "size_bytes": 1000,
    }
    return NewModel(job_id=job_id, **values | given)


def given_jobs(database: Database, count: int) -> list[JobId]:
    with database.write() as session:
        return [make_job(session, state=JobState.RUNNING).id for _ in range(count)]


def register(database: Database, job_id: JobId, **given: Any) -> ModelRow:
    with database.write() as session:
        return ModelRepository(session).register(TENANT, new_model(job_id, **given))


def resolve(database: Database, reference: str, tenant: TenantId = TENANT) -> ModelId | None:
    with database.read() as session:
        model = ModelRepository(session).resolve(tenant, reference)
        return None if model is None else model.id


class TestRegister:
    def test_versions_of_a_name_count_up_and_latest_moves(self, database: Database) -> None:
        jobs = given_jobs(database, 3)
        first = register(database, jobs[0])
        assert resolve(database, "tickets") == first.id
        second = register(database, jobs[1])
        elsewhere = register(database, jobs[2], name="mails")
        assert (first.version, second.version, elsewhere.version) == (1, 2, 1)
        assert resolve(database, "tickets") == second.id
        assert resolve(database, "mails@latest") == elsewhere.id
        assert first.labels == ["billing", "tech"]

    def test_a_repeated_export_returns_the_same_row(self, database: Database) -> None:
        [first_job, second_job] = given_jobs(database, 2)
        first = register(database, first_job)
        newer = register(database, second_job)
        assert register(database, first_job, artifact="5" * 64).id == first.id
        # And does not take the alias back from a newer version.
        assert resolve(database, "tickets") == newer.id

    def test_a_deleted_models_version_is_not_given_again(self, database: Database) -> None:
        jobs = given_jobs(database, 2)
        register(database, jobs[0])
        with database.write() as session:
            session.execute(update(ModelRow).values(deleted_at=db_now()))
        assert register(database, jobs[1]).version == 2

    def test_many_at_once_get_a_version_each(self, database: Database) -> None:
        jobs = given_jobs(database, 8)
        gate = Barrier(len(jobs))

        def act(job_id: JobId) -> int:
            gate.wait(timeout=10)
            return register(database, job_id).version

        with ThreadPoolExecutor(len(jobs)) as threads:
            versions = list(threads.map(act, jobs))
        assert sorted(versions) == list(range(1, 9))
        with database.read() as session:
            alias = session.scalars(select(ModelAliasRow)).one()
            last = session.scalars(select(ModelRow).where(ModelRow.version == 8)).one()
        assert (alias.alias, alias.model_id) == (LATEST, last.id)

    def test_one_job_at_once_registers_one_model(self, database: Database) -> None:
        [job] = given_jobs(database, 1)
        gate = Barrier(6)

        def act(_: int) -> ModelId:
            gate.wait(timeout=10)
            return register(database, job).id

        with ThreadPoolExecutor(6) as threads:
            assert len(set(threads.map(act, range(6)))) == 1
        with database.read() as session:
            assert session.scalars(select(ModelRow.version)).all() == [1]


class TestResolve:
    def test_an_id_a_name_and_an_alias_name_a_model(self, database: Database) -> None:
        jobs = given_jobs(database, 2)
        first, second = (register(database, job) for job in jobs)
        with database.write() as session:
            ModelRepository(session).point(TENANT, "tickets", alias="champion", model_id=first.id)
        assert resolve(database, first.id) == first.id
        assert resolve(database, "tickets") == second.id
        assert resolve(database, "tickets@champion") == first.id

    @pytest.mark.parametrize(
        "reference", ["", "@", "@latest", "none", "tickets@none", "tickets@latest@latest", "%"]
    )
    def test_what_names_nothing_is_none(self, database: Database, reference: str) -> None:
        [job] = given_jobs(database, 1)
        register(database, job)
        assert resolve(database, reference) is None

    def test_another_tenants_model_is_not_there(self, database: Database) -> None:
        [job] = given_jobs(database, 1)
        model = register(database, job)
        for reference in (model.id, "tickets", "tickets@latest"):
            assert resolve(database, reference, OTHER) is None
        with database.read() as session:
            models = ModelRepository(session)
            assert models.get(OTHER, model.id) is None
            assert models.page(OTHER, limit=9).rows == []
            assert models.aliases(OTHER, [model.id]) == {model.id: []}


class TestListModels:
    def test_deleted_models_are_found_but_not_listed(self, database: Database) -> None:
        jobs = given_jobs(database, 3)
        ids = sorted((register(database, job).id for job in jobs), reverse=True)
        with database.write() as session:
            session.execute(
                update(ModelRow).where(ModelRow.id == ids[1]).values(deleted_at=db_now())
            )
        with database.read() as session:
            models = ModelRepository(session)
            first = models.page(TENANT, limit=1)
            rest = models.page(TENANT, limit=1, after=first.rows[0].id)
            gone = models.get(TENANT, ids[1])
        assert [row.id for row in [*first.rows, *rest.rows]] == [ids[0], ids[2]]
        assert (first.has_more, rest.has_more) == (True, False)
        assert gone is not None
        assert gone.deleted_at is not None

    def test_each_model_is_listed_with_its_aliases(self, database: Database) -> None:
        jobs = given_jobs(database, 2)
        first, second = (register(database, job).id for job in jobs)
        with database.write() as session:
            models = ModelRepository(session)
            models.point(TENANT, "tickets", alias="champion", model_id=second)
            assert models.aliases(TENANT, [first, second]) == {
                first: [],
                second: ["champion", LATEST],
            }
