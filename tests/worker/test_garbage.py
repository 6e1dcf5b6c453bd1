"""What nothing points at goes after a day, and nothing else ever does."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from core.artifacts import ArtifactDamaged, ArtifactStore
from core.db.session import Database
from core.db.tables import ModelRow
from core.ids import ModelId
from core.lifecycle import JobState, Stage
from tests.factories import make_dataset, make_job, make_model, make_stage
from worker.drain import Drain
from worker.garbage import GarbageCollector

LONG_AGO = datetime.now(UTC) - timedelta(days=2)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def make_everything_old(store: ArtifactStore) -> None:
    for path in store.root.glob("??/*"):
        os.utime(path, (1, 1))


def stored_tree(store: ArtifactStore, folder: Path, **files: bytes) -> str:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return store.put_tree(folder)


def _model_ids(database: Database) -> list[ModelId]:
    with database.read() as session:
        return list(session.scalars(select(ModelRow.id).order_by(ModelRow.version)))


def _delete(database: Database, model_id: ModelId, *, at: datetime) -> None:
    with database.write() as session:
        session.execute(update(ModelRow).where(ModelRow.id == model_id).values(deleted_at=at))


class TestCollecting:
    def test_files_of_what_was_deleted_go_and_shared_ones_stay(
        self, sqlite_database: Database, store: ArtifactStore, tmp_path: Path
    ) -> None:
        rows, issues, deleted = (store.put_bytes(name) for name in (b"rows", b"issues", b"del"))
        model = stored_tree(store, tmp_path / "model", weights=b"w", card=b"c")
        student = stored_tree(store, tmp_path / "student", weights=b"w", state=b"s")
        with sqlite_database.write() as session:
            dataset = make_dataset(session, rows_artifact=rows, issues_artifact=issues)
            make_dataset(
                session,
                rows_artifact=deleted,
                issues_artifact=issues,
                deleted_at=LONG_AGO,
            )
            job = make_job(
                session,
                state=JobState.SUCCEEDED,
                dataset_id=dataset.id,
                finished_at=LONG_AGO,
            )
            make_stage(session, job, Stage.TRAIN, student=student)
            make_model(session, job, model)
        make_everything_old(store)
        collector = GarbageCollector(sqlite_database, store)
        # The deleted rows, and of the finished job's student what its model does not share.
        assert collector.collect() == 3
        assert not store.path(deleted).exists()
        assert not store.path(student).exists()
        store.verify(rows)
        assert set(store.tree(model)) == {"weights", "card"}
        assert collector.collect() == 0

    def test_a_tree_that_two_models_share_goes_a_day_after_the_second_was_deleted(
        self, sqlite_database: Database, store: ArtifactStore, tmp_path: Path
    ) -> None:
        shared = stored_tree(store, tmp_path / "shared", weights=b"w", card=b"c")
        own = stored_tree(store, tmp_path / "own", weights=b"w", card=b"other")
        with sqlite_database.write() as session:
            for tree in (shared, shared, own):
                job = make_job(session, state=JobState.SUCCEEDED, finished_at=LONG_AGO)
                make_model(session, job, tree)
        make_everything_old(store)
        collector = GarbageCollector(sqlite_database, store)
        first, second, third = _model_ids(sqlite_database)
        _delete(sqlite_database, first, at=LONG_AGO)
        assert collector.collect() == 0
        _delete(sqlite_database, second, at=datetime.now(UTC) - timedelta(hours=23))
        assert collector.collect() == 0
        _delete(sqlite_database, second, at=LONG_AGO)
        # The list of files and the card; the weights are the third model's too.
        assert collector.collect() == 2
        assert set(store.tree(own)) == {"weights", "card"}
        _delete(sqlite_database, third, at=LONG_AGO)
        assert collector.collect() == 3

    def test_texts_to_compare_engines_on_go_with_their_model_or_their_dataset(
        self, sqlite_database: Database, store: ArtifactStore, tmp_path: Path
    ) -> None:
        """They are users' texts: who deletes a dataset means them, too."""
        model = stored_tree(store, tmp_path / "model", weights=b"w")
        kept, orphaned, unmeasured = (store.put_bytes(name) for name in (b"k", b"o", b"u"))
        with sqlite_database.write() as session:
            dead, alive = make_dataset(session, deleted_at=LONG_AGO), make_dataset(session)
            for digest, dataset, evaluation in (
                (kept, alive, alive.id),
                (orphaned, dead, None),
                (unmeasured, alive, dead.id),
            ):
                job = make_job(
                    session,
                    state=JobState.SUCCEEDED,
                    dataset_id=dataset.id,
                    evaluation_dataset_id=evaluation,
                    finished_at=LONG_AGO,
                )
                make_model(session, job, model, export={"engines": {"validation": digest}})
        make_everything_old(store)
        assert GarbageCollector(sqlite_database, store).collect() == 2
        store.verify(kept)

    def test_all_that_a_job_under_way_may_still_keep_stays(
        self, sqlite_database: Database, store: ArtifactStore, tmp_path: Path
    ) -> None:
        best, other, early = (
            stored_tree(store, tmp_path / name, weights=name.encode())
            for name in ("best", "other", "early")
        )
        dynamics = store.put_bytes(b"dynamics")
        with sqlite_database.write() as session:
            trained = make_job(session, state=JobState.RUNNING)
            make_stage(
                session,
                trained,
                Stage.TRAIN,
                student=best,
                candidates=[{"student": best}, {"student": other}],
            )
            checkpoint = {
                "uri": "x",
                "sha256": "y",
                "step": 1,
                "finished": [{"student": early, "dynamics": dynamics}],
            }
            make_job(session, state=JobState.RUNNING, checkpoint=checkpoint)
        make_everything_old(store)
        assert GarbageCollector(sqlite_database, store).collect() == 0

    def test_what_was_stored_today_may_still_get_its_row(
        self, sqlite_database: Database, store: ArtifactStore
    ) -> None:
        digest = store.put_bytes(b"just stored")
        assert GarbageCollector(sqlite_database, store).collect() == 0
        store.verify(digest)

    def test_if_a_model_cannot_be_read_nothing_goes(
        self, sqlite_database: Database, store: ArtifactStore
    ) -> None:
        unused = store.put_bytes(b"unused")
        with sqlite_database.write() as session:
            make_model(session, make_job(session, state=JobState.SUCCEEDED), "f" * 64)
        make_everything_old(store)
        with pytest.raises(ArtifactDamaged):
            GarbageCollector(sqlite_database, store).collect()
        store.verify(unused)

    def test_it_goes_on_after_a_damage_and_ends_with_the_worker(
        self, sqlite_database: Database, store: ArtifactStore
    ) -> None:
        with sqlite_database.write() as session:
            make_model(session, make_job(session, state=JobState.SUCCEEDED), "f" * 64)
        drain = Drain()
        drain.begin()
        GarbageCollector(sqlite_database, store).run(drain)
