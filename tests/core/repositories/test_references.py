"""A stored file is in use as long as something that is not deleted needs it."""

from datetime import UTC, datetime, timedelta

from core.db.repositories.models import ModelRepository
from core.db.repositories.references import References, find_references
from core.db.session import Database
from core.lifecycle import JobState, Stage
from tests.factories import make_dataset, make_job, make_model, make_stage

DAY = timedelta(days=1)
NOW = datetime.now(UTC)
LONG_AGO = NOW - 2 * DAY


def references_of(database: Database) -> References:
    with database.read() as session:
        return find_references(session, grace=DAY)


class TestReferences:
    def test_of_an_empty_store_there_are_none(self, database: Database) -> None:
        assert references_of(database) == References(frozenset(), frozenset())

    def test_a_dataset_keeps_its_files_until_it_is_deleted(self, database: Database) -> None:
        with database.write() as session:
            make_dataset(session, rows_artifact="rows", issues_artifact="issues")
            make_dataset(session, rows_artifact="gone", issues_artifact="gone", deleted_at=LONG_AGO)
        assert references_of(database).files == {"rows", "issues"}

    def test_labels_go_with_the_dataset_of_their_job(self, database: Database) -> None:
        with database.write() as session:
            for deleted_at in (None, LONG_AGO):
                dataset = make_dataset(
                    session, rows_artifact="r", issues_artifact="i", deleted_at=deleted_at
                )
                job = make_job(session, state=JobState.SUCCEEDED, dataset_id=dataset.id)
                name = "labels" if deleted_at is None else "labels of the deleted"
                make_stage(session, job, Stage.LABEL, labels=name, evaluation_labels=None)
        assert references_of(database).files == {"r", "i", "labels"}

    def test_a_student_stays_while_its_job_is_under_way(self, database: Database) -> None:
        with database.write() as session:
            for state in JobState:
                ended = {"finished_at": LONG_AGO} if state.is_terminal else {}
                job = make_job(session, state=state, **ended)
                make_stage(session, job, Stage.TRAIN, student=f"student of a {state} job")
        assert references_of(database).trees == {
            "student of a queued job",
            "student of a running job",
        }

    def test_a_model_stays_until_it_is_deleted(self, database: Database) -> None:
        with database.write() as session:
            kept, deleted = (make_job(session, state=JobState.SUCCEEDED) for _ in range(2))
            make_model(session, kept, "kept")
            make_model(session, deleted, "deleted")
            row = ModelRepository(session).by_job(deleted.id)
            assert row is not None
            row.deleted_at = LONG_AGO
        assert references_of(database).trees == {"kept"}

    def test_what_went_within_the_grace_stays_as_long(self, database: Database) -> None:
        just = NOW - DAY / 2
        with database.write() as session:
            dataset = make_dataset(session, rows_artifact="r", issues_artifact="i", deleted_at=just)
            job = make_job(session, state=JobState.FAILED, dataset_id=dataset.id, finished_at=just)
            make_stage(session, job, Stage.LABEL, labels="labels")
            make_stage(session, job, Stage.TRAIN, student="student")
            make_model(session, job, "model")
            row = ModelRepository(session).by_job(job.id)
            assert row is not None
            row.deleted_at = just
        assert references_of(database) == References(
            frozenset({"r", "i", "labels"}), frozenset({"student", "model"})
        )

    def test_predictions_go_with_the_dataset_and_their_parts_with_the_job(
        self, database: Database
    ) -> None:
        with database.write() as session:
            for deleted_at, name in ((None, "kept"), (LONG_AGO, "gone")):
                dataset = make_dataset(
                    session, rows_artifact="r", issues_artifact="i", deleted_at=deleted_at
                )
                job = make_job(
                    session,
                    state=JobState.SUCCEEDED,
                    dataset_id=dataset.id,
                    finished_at=LONG_AGO,
                    checkpoint={"parts": "parts of an ended job", "step": 8192},
                )
                make_stage(session, job, Stage.PREDICT, predictions=name)
            checkpoint = {"parts": "parts", "step": 4096}
            make_job(session, dataset_id=dataset.id, checkpoint=checkpoint)
        assert references_of(database) == References(
            frozenset({"r", "i", "kept"}), frozenset({"parts"})
        )
