from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from core.db.repositories.inserts import IdempotencyKeyTaken
from core.db.repositories.teachers import TeacherRepository
from core.db.session import Database
from core.db.tables import TeacherRow
from core.ids import TeacherId, TenantId, new_teacher_id
from core.lifecycle import TERMINAL, JobState
from tests.factories import TENANT, make_job, make_teacher

OTHER = TenantId("other")
SEALED = {"key_id": "k1", "ciphertext": "…"}


def new_teacher(**given: Any) -> TeacherRow:
    values: dict[str, Any] = {"tenant_id": TENANT, "name": "gpt", "idempotency_key": "k"}
    return TeacherRow(
        id=new_teacher_id(),
        base_url="https://api.openai.com/v1",
        model="gpt-4o-mini",
        sealed_key=SEALED,
        key_last4="wxyz",
        settings={"concurrency": 8},
        request_sha256="0" * 64,
        **values | given,
    )


def alone(teacher_id: str) -> dict[str, Any]:
    return {"teacher": {"kind": "openai", "teacher_id": teacher_id}}


def among_others(teacher_id: str) -> dict[str, Any]:
    members = [{"kind": "few_shot", "model": "minilm"}, alone(teacher_id)["teacher"]]
    return {"teacher": {"kind": "ensemble", "teachers": members}}


def read(database: Database, teacher_id: TeacherId) -> TeacherRow:
    with database.read() as session:
        row = TeacherRepository(session).get(TENANT, teacher_id)
    assert row is not None
    return row


class TestAddTeacher:
    def test_it_is_read_back_as_it_was_added(self, database: Database) -> None:
        with database.write() as session:
            added = TeacherRepository(session).add(new_teacher())
        row = read(database, added.id)
        assert (row.sealed_key, row.settings) == (SEALED, {"concurrency": 8})
        assert (row.last_test, row.deleted_at) == (None, None)
        assert row.created_at == row.updated_at

    def test_an_idempotency_key_names_one_teacher_of_a_tenant(self, database: Database) -> None:
        with database.write() as session:
            teachers = TeacherRepository(session)
            first = teachers.add(new_teacher())
            with pytest.raises(IdempotencyKeyTaken):
                teachers.add(new_teacher())
            assert teachers.by_idempotency_key(TENANT, "k") is first
            teachers.add(new_teacher(tenant_id=OTHER))


class TestReadTeachers:
    def test_another_tenants_teacher_is_not_there(self, database: Database) -> None:
        with database.write() as session:
            teacher = make_teacher(session, idempotency_key="k")
            teachers = TeacherRepository(session)
            assert teachers.get(OTHER, teacher.id) is None
            assert teachers.hold(OTHER, teacher.id) is None
            assert teachers.by_idempotency_key(OTHER, "k") is None
            assert teachers.page(OTHER, limit=10).rows == []
            assert not teachers.patch(OTHER, teacher.id, name="theirs", settings={})
            assert not teachers.replace_key(OTHER, teacher.id, sealed_key=None, key_last4=None)
            assert not teachers.note_test(OTHER, teacher.id, {}, of=teacher.updated_at)
            assert not teachers.tombstone(OTHER, teacher.id)
        row = read(database, teacher.id)
        assert (row.name, row.last_test, row.deleted_at) == (teacher.name, None, None)

    def test_pages_go_from_the_newest_to_the_oldest(self, database: Database) -> None:
        with database.write() as session:
            ids = sorted((make_teacher(session).id for _ in range(3)), reverse=True)
            teachers = TeacherRepository(session)
            first = teachers.page(TENANT, limit=2)
            rest = teachers.page(TENANT, limit=2, after=first.rows[-1].id)
        assert [row.id for row in [*first.rows, *rest.rows]] == ids
        assert (first.has_more, rest.has_more) == (True, False)


class TestChangeTeacher:
    def test_what_is_not_changed_stays(self, database: Database) -> None:
        with database.write() as session:
            teacher = make_teacher(session, sealed_key=SEALED, last_test={"ok": True})
            assert TeacherRepository(session).patch(
                TENANT, teacher.id, name="new", settings={"concurrency": 2}
            )
        row = read(database, teacher.id)
        assert (row.name, row.settings) == ("new", {"concurrency": 2})
        assert (row.sealed_key, row.last_test) == (SEALED, {"ok": True})
        assert row.updated_at >= teacher.updated_at

    def test_another_key_takes_the_last_test_with_it(self, database: Database) -> None:
        with database.write() as session:
            teacher = make_teacher(session, sealed_key=SEALED, last_test={"ok": True})
            new = SEALED | {"key_id": "k2"}
            assert TeacherRepository(session).replace_key(
                TENANT, teacher.id, sealed_key=new, key_last4="4321"
            )
        row = read(database, teacher.id)
        assert (row.sealed_key, row.key_last4, row.last_test) == (new, "4321", None)

    def test_a_deleted_teacher_changes_no_more(self, database: Database) -> None:
        with database.write() as session:
            teacher = make_teacher(session)
            teachers = TeacherRepository(session)
            assert teachers.tombstone(TENANT, teacher.id)
            assert not teachers.patch(TENANT, teacher.id, name="new", settings={})
            assert not teachers.replace_key(TENANT, teacher.id, sealed_key=SEALED, key_last4="wxyz")
        assert read(database, teacher.id).sealed_key is None


class TestNoteTest:
    def test_what_a_probe_found_is_kept(self, database: Database) -> None:
        with database.write() as session:
            teacher = make_teacher(session)
            assert TeacherRepository(session).note_test(
                TENANT, teacher.id, {"ok": True}, of=teacher.updated_at
            )
        row = read(database, teacher.id)
        assert (row.last_test, row.updated_at) == ({"ok": True}, teacher.updated_at)

    def test_a_probe_of_what_was_before_a_change_tells_nothing(self, database: Database) -> None:
        with database.write() as session:
            teacher = make_teacher(session)
        probed = read(database, teacher.id).updated_at
        with database.write() as session:
            row = session.get(TeacherRow, teacher.id)
            assert row is not None
            row.updated_at = probed.replace(year=probed.year + 1)
        with database.write() as session:
            teachers = TeacherRepository(session)
            assert not teachers.note_test(TENANT, teacher.id, {"ok": True}, of=probed)
        assert read(database, teacher.id).last_test is None


class TestDeleteTeacher:
    def test_it_stays_readable_without_its_key_but_is_not_listed(self, database: Database) -> None:
        with database.write() as session:
            teacher = make_teacher(session, sealed_key=SEALED, key_last4="wxyz")
            teachers = TeacherRepository(session)
            assert teachers.tombstone(TENANT, teacher.id)
            assert not teachers.tombstone(TENANT, teacher.id)
            assert teachers.page(TENANT, limit=10).rows == []
        row = read(database, teacher.id)
        assert row.deleted_at is not None
        assert (row.sealed_key, row.key_last4) == (None, None)

    @pytest.mark.parametrize("spec", [alone, among_others])
    @pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
    def test_an_unfinished_job_that_names_it_keeps_it(
        self, database: Database, spec: Any, state: JobState
    ) -> None:
        with database.write() as session:
            teacher = make_teacher(session)
            job = make_job(session, state=state, spec=spec(teacher.id))
            teachers = TeacherRepository(session)
            assert teachers.users(TENANT, teacher.id) == [job.id]
            assert not teachers.tombstone(TENANT, teacher.id)
        assert read(database, teacher.id).deleted_at is None

    def test_other_jobs_do_not(self, database: Database) -> None:
        with database.write() as session:
            teacher, another = make_teacher(session), make_teacher(session)
            for state in TERMINAL:
                make_job(session, state=state, spec=alone(teacher.id))
                make_job(session, state=state, spec=among_others(teacher.id))
            make_job(session, spec=alone(another.id))
            make_job(session, spec=among_others(another.id))
            make_job(session, spec={"teacher": {"kind": "few_shot"}})
            make_job(session, spec={"instruction": teacher.id})
            # A job of another tenant can only have guessed the id.
            make_job(session, spec=alone(teacher.id), tenant_id=OTHER)
            teachers = TeacherRepository(session)
            assert teachers.users(TENANT, teacher.id) == []
            assert teachers.tombstone(TENANT, teacher.id)

    def test_a_new_job_and_a_deletion_at_once_see_each_other(self, database: Database) -> None:
        with database.write() as session:
            teacher = make_teacher(session)
        held = Event()

        def delete() -> bool:
            held.wait(timeout=10)
            with database.write() as session:
                TeacherRepository(session).hold(TENANT, teacher.id)
                return TeacherRepository(session).tombstone(TENANT, teacher.id)

        with ThreadPoolExecutor(1) as threads:
            with database.write() as session:
                deletion = threads.submit(delete)
                TeacherRepository(session).hold(TENANT, teacher.id)
                held.set()
                make_job(session, spec=alone(teacher.id))
                # It waits for this transaction, and so finds the job.
                with pytest.raises(TimeoutError):
                    deletion.result(timeout=0.3)
            assert deletion.result(timeout=20) is False
