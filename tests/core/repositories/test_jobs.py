from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from core.db.repositories.inserts import IdempotencyKeyTaken
from core.db.repositories.jobs import ACTIVE, JobRepository
from core.db.session import Database
from core.db.tables import JobEventRow, JobRow
from core.ids import DatasetId, JobId, ModelId, TenantId, new_job_id
from core.lifecycle import TERMINAL, EventType, JobState, Purpose, Queue
from tests.factories import TENANT, make_dataset, make_job

OTHER = TenantId("other")


def new_job(dataset_id: DatasetId, **given: Any) -> JobRow:
    values: dict[str, Any] = {
        "id": new_job_id(),
        "tenant_id": TENANT,
        "name": "tickets",
        "spec": {"epochs": 3},
        "dataset_id": dataset_id,
        "request_sha256": "0" * 64,
        "queue": Queue.ANY,
        "max_wall_seconds": 3600,
    }
    return JobRow(**values | given)


def events(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(JobEventRow.type).order_by(JobEventRow.seq)))


class TestAddJob:
    def test_it_is_queued_and_told(self, database: Database) -> None:
        with database.write() as session:
            dataset = make_dataset(session)
            added = JobRepository(session).add(new_job(dataset.id))
        with database.read() as session:
            job = JobRepository(session).get(TENANT, added.id)
        assert job is not None
        assert (job.state, job.attempt, job.spec) == (JobState.QUEUED, 0, {"epochs": 3})
        assert job.checkpoint is None
        assert events(database) == [EventType.JOB_QUEUED]

    def test_an_idempotency_key_names_one_job_of_a_tenant(self, database: Database) -> None:
        with database.write() as session:
            dataset = make_dataset(session)
            jobs = JobRepository(session)
            first = jobs.add(new_job(dataset.id, idempotency_key="k"))
            with pytest.raises(IdempotencyKeyTaken):
                jobs.add(new_job(dataset.id, idempotency_key="k"))
            # The transaction goes on.
            assert jobs.by_idempotency_key(TENANT, "k") is first
            jobs.add(new_job(dataset.id, idempotency_key="k", tenant_id=OTHER))
            assert jobs.by_idempotency_key(OTHER, "k") is not first
        assert len(events(database)) == 2

    def test_another_broken_rule_is_not_taken_for_a_used_key(self, database: Database) -> None:
        with pytest.raises(IntegrityError), database.write() as session:
            JobRepository(session).add(new_job(DatasetId("ds_none"), idempotency_key="k"))


class TestReadJobs:
    def test_another_tenants_job_is_not_there(self, database: Database) -> None:
        with database.write() as session:
            job = make_job(session, idempotency_key="k")
            jobs = JobRepository(session)
            assert jobs.get(OTHER, job.id) is None
            assert jobs.by_idempotency_key(OTHER, "k") is None
            assert jobs.page(OTHER, limit=10).rows == []
            assert jobs.request_cancel(OTHER, job.id) is None
            assert jobs.count_active(OTHER) == 0
        with database.read() as session:
            assert session.scalars(select(JobRow.state)).one() is JobState.QUEUED

    def test_pages_go_from_the_newest_to_the_oldest(self, database: Database) -> None:
        with database.write() as session:
            dataset = make_dataset(session)
            ids = [make_job(session, dataset_id=dataset.id).id for _ in range(5)]
        newest_first = sorted(ids, reverse=True)
        with database.read() as session:
            jobs = JobRepository(session)
            seen: list[JobId] = []
            page = jobs.page(TENANT, limit=2)
            while True:
                seen += [job.id for job in page.rows]
                if not page.has_more:
                    break
                page = jobs.page(TENANT, limit=2, after=seen[-1])
        assert seen == newest_first

    def test_a_full_last_page_has_nothing_after_it(self, database: Database) -> None:
        with database.write() as session:
            make_job(session)
            assert not JobRepository(session).page(TENANT, limit=1).has_more

    def test_a_list_is_narrowed_by_state_and_dataset(self, database: Database) -> None:
        with database.write() as session:
            done = make_job(session, state=JobState.SUCCEEDED)
            make_job(session)
            jobs = JobRepository(session)
            by_state = jobs.page(TENANT, limit=9, state=JobState.SUCCEEDED)
            by_dataset = jobs.page(TENANT, limit=9, dataset_id=done.dataset_id)
        assert [job.id for job in by_state.rows] == [done.id]
        assert [job.id for job in by_dataset.rows] == [done.id]

    def test_a_list_is_narrowed_by_purpose(self, database: Database) -> None:
        with database.write() as session:
            make_job(session)
            wanted = make_job(session, purpose=Purpose.PREDICT.value)
            page = JobRepository(session).page(TENANT, limit=9, purpose=Purpose.PREDICT)
        assert [job.id for job in page.rows] == [wanted.id]

    @pytest.mark.parametrize("key", ["team", "a.b", 'a"b', "a'b", "$", "ключ", "a b[0]"])
    def test_a_list_is_narrowed_by_metadata(self, database: Database, key: str) -> None:
        with database.write() as session:
            wanted = make_job(session, labels_metadata={key: "cx", "n": "1"})
            make_job(session, labels_metadata={key: "other"})
            make_job(session, labels_metadata={})
            jobs = JobRepository(session)
            assert [job.id for job in jobs.page(TENANT, limit=9, metadata={key: "cx"}).rows] == [
                wanted.id
            ]
            both = jobs.page(TENANT, limit=9, metadata={key: "cx", "n": "2"})
            assert both.rows == []

    def test_metadata_compares_text_with_text_alone(self, database: Database) -> None:
        with database.write() as session:
            make_job(session, labels_metadata={"n": 1, "flag": True, "list": ["cx"]})
            jobs = JobRepository(session)
            for key, value in (("n", "1"), ("flag", "1"), ("flag", "true"), ("list", "cx")):
                assert jobs.page(TENANT, limit=9, metadata={key: value}).rows == []


class TestCancelJob:
    def test_a_queued_job_ends_at_once(self, database: Database) -> None:
        with database.write() as session:
            job = make_job(session)
            cancelled = JobRepository(session).request_cancel(TENANT, job.id)
        assert cancelled is not None
        assert cancelled.state is JobState.CANCELLED
        assert cancelled.finished_at is not None
        assert cancelled.cancel_at is not None
        assert events(database) == [EventType.JOB_CANCELLED]

    def test_a_running_job_is_asked_once(self, database: Database) -> None:
        with database.write() as session:
            job = make_job(session, state=JobState.RUNNING)
            first = JobRepository(session).request_cancel(TENANT, job.id)
            assert first is not None
            asked_at = first.cancel_at
            second = JobRepository(session).request_cancel(TENANT, job.id)
        assert second is not None
        assert second.state is JobState.RUNNING
        assert asked_at is not None
        assert second.cancel_at == asked_at
        assert second.lease_until is not None
        assert events(database) == [EventType.JOB_CANCEL_REQUESTED]

    @pytest.mark.parametrize("state", sorted(TERMINAL))
    def test_an_ended_job_stays_as_it_is(self, database: Database, state: JobState) -> None:
        with database.write() as session:
            job = make_job(session, state=state)
            finished_at = job.finished_at
            same = JobRepository(session).request_cancel(TENANT, job.id)
        assert same is not None
        assert (same.state, same.finished_at, same.cancel_at) == (state, finished_at, None)
        assert events(database) == []


class TestWhatIsActive:
    def test_queued_and_running_jobs_are_counted(self, database: Database) -> None:
        with database.write() as session:
            for state in JobState:
                make_job(session, state=state)
            make_job(session, tenant_id=OTHER)
            assert JobRepository(session).count_active(TENANT) == 2

    def test_a_dataset_is_used_to_train_or_to_evaluate(self, database: Database) -> None:
        with database.write() as session:
            used, unused = make_dataset(session), make_dataset(session)
            trains = make_job(session, dataset_id=used.id)
            evaluates = make_job(session, state=JobState.RUNNING, evaluation_dataset_id=used.id)
            make_job(session, state=JobState.SUCCEEDED, dataset_id=used.id)
            jobs = JobRepository(session)
            assert set(jobs.uses_dataset(used.id)) == {trains.id, evaluates.id}
            assert jobs.uses_dataset(unused.id) == []


class TestWhoReadsAModel:
    def test_unfinished_predictions_with_it_do(self, database: Database) -> None:
        asked: dict[str, Any] = {
            "purpose": Purpose.PREDICT.value,
            "spec": {"model_id": "model_a"},
        }
        other: dict[str, Any] = asked | {"spec": {"model_id": "model_b"}}
        with database.write() as session:
            reading = [make_job(session, state=state, **asked).id for state in ACTIVE]
            for state in TERMINAL:
                make_job(session, state=state, **asked)
            make_job(session, **other)
            # A job whose own spec knows no model.
            make_job(session)
            jobs = JobRepository(session)
            assert jobs.reads_model(ModelId("model_a")) == sorted(reading)
            assert jobs.reads_model(ModelId("model_c")) == []

    def test_a_prediction_makes_no_model_of_its_name(self, database: Database) -> None:
        with database.write() as session:
            make_job(session, name="backlog", purpose=Purpose.PREDICT.value)
            jobs = JobRepository(session)
            assert not jobs.is_making(TENANT, "backlog")
            make_job(session, name="backlog")
            assert jobs.is_making(TENANT, "backlog")
