from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from core.db.repositories.datasets import DatasetRepository
from core.db.repositories.inserts import IdempotencyKeyTaken
from core.db.repositories.jobs import JobRepository
from core.db.session import Database
from core.db.tables import DatasetRow
from core.ids import DatasetId, TenantId, new_dataset_id
from tests.factories import TENANT, make_dataset, make_job

OTHER = TenantId("other")


def new_dataset(**given: str) -> DatasetRow:
    values = {"tenant_id": TENANT, "name": "tickets", "idempotency_key": "k"} | given
    return DatasetRow(
        id=new_dataset_id(),
        request_sha256="0" * 64,
        source_sha256="1" * 64,
        rows_artifact="2" * 64,
        issues_artifact="3" * 64,
        statistics={"rows": 3},
        size_bytes=100,
        **values,
    )


class TestAddDataset:
    def test_it_is_read_back_as_it_was_added(self, database: Database) -> None:
        with database.write() as session:
            added = DatasetRepository(session).add(new_dataset())
        with database.read() as session:
            dataset = DatasetRepository(session).get(TENANT, added.id)
        assert dataset is not None
        assert dataset.statistics == {"rows": 3}
        assert dataset.created_at.tzinfo is not None
        assert dataset.deleted_at is None

    def test_an_idempotency_key_names_one_dataset_of_a_tenant(self, database: Database) -> None:
        with database.write() as session:
            datasets = DatasetRepository(session)
            first = datasets.add(new_dataset())
            with pytest.raises(IdempotencyKeyTaken):
                datasets.add(new_dataset())
            assert datasets.by_idempotency_key(TENANT, "k") is first
            datasets.add(new_dataset(tenant_id=OTHER))


class TestReadDatasets:
    def test_another_tenants_dataset_is_not_there(self, database: Database) -> None:
        with database.write() as session:
            dataset = make_dataset(session, idempotency_key="k")
            datasets = DatasetRepository(session)
            assert datasets.get(OTHER, dataset.id) is None
            assert datasets.hold(OTHER, dataset.id) is None
            assert datasets.by_idempotency_key(OTHER, "k") is None
            assert datasets.page(OTHER, limit=10).rows == []
            assert not datasets.tombstone(OTHER, dataset.id)

    def test_pages_go_from_the_newest_to_the_oldest(self, database: Database) -> None:
        with database.write() as session:
            ids = sorted((make_dataset(session).id for _ in range(3)), reverse=True)
            datasets = DatasetRepository(session)
            first = datasets.page(TENANT, limit=2)
            rest = datasets.page(TENANT, limit=2, after=first.rows[-1].id)
        assert [row.id for row in [*first.rows, *rest.rows]] == ids
        assert (first.has_more, rest.has_more) == (True, False)


class TestDeleteDataset:
    def test_it_stays_readable_but_is_not_listed(self, database: Database) -> None:
        with database.write() as session:
            dataset = make_dataset(session)
            assert DatasetRepository(session).tombstone(TENANT, dataset.id)
        with database.read() as session:
            datasets = DatasetRepository(session)
            gone = datasets.get(TENANT, dataset.id)
            assert gone is not None
            assert gone.deleted_at is not None
            assert datasets.page(TENANT, limit=10).rows == []

    def test_a_second_deletion_says_so(self, database: Database) -> None:
        with database.write() as session:
            datasets = DatasetRepository(session)
            dataset = make_dataset(session)
            assert datasets.tombstone(TENANT, dataset.id)
            assert not datasets.tombstone(TENANT, dataset.id)
            assert not datasets.tombstone(TENANT, DatasetId("ds_none"))

    def test_a_new_job_and_a_deletion_at_once_see_each_other(self, database: Database) -> None:
        with database.write() as session:
            dataset = make_dataset(session)
        held = Event()

        def delete() -> bool:
            held.wait(timeout=10)
            with database.write() as session:
                DatasetRepository(session).hold(TENANT, dataset.id)
                if JobRepository(session).uses_dataset(dataset.id):
                    return False
                return DatasetRepository(session).tombstone(TENANT, dataset.id)

        with ThreadPoolExecutor(1) as threads:
            with database.write() as session:
                deletion = threads.submit(delete)
                DatasetRepository(session).hold(TENANT, dataset.id)
                held.set()
                make_job(session, dataset_id=dataset.id)
                # It waits for this transaction, and so finds the job.
                with pytest.raises(TimeoutError):
                    deletion.result(timeout=0.3)
            assert deletion.result(timeout=20) is False
