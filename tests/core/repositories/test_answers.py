from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import func, select, update

from core.db.base import db_now
from core.db.repositories import answers
from core.db.repositories.answers import AnswerRepository
from core.db.session import Database
from core.db.tables import TeacherAnswerRow
from core.ids import JobId, TenantId, new_job_id
from tests.factories import TENANT

OTHER = TenantId("other")
DAY = 86_400
JOB = new_job_id()
ANOTHER_JOB = new_job_id()


def make_answer(key: str, **given: object) -> TeacherAnswerRow:
    values: dict[str, object] = {
        "key": key,
        "status": "answered",
        "label": "billing",
        "probabilities": [0.1 + 0.2, 0.7],
        "confidence": 0.7,
        "confidence_source": "logprobs",
        "model": "teacher-1",
    }
    return TeacherAnswerRow(**values | given)


class TestAnswers:
    def test_an_answer_comes_back_unrounded(self, database: Database) -> None:
        with database.write() as session:
            AnswerRepository(session).store(TENANT, [make_answer("a", cost_micros=12)])
        with database.read() as session:
            found = AnswerRepository(session).find(TENANT, ["a", "b", "a"], job_id=JOB)
        assert list(found) == ["a"]
        answer = found["a"]
        assert answer.probabilities == [0.1 + 0.2, 0.7]
        assert (answer.cost_micros, answer.tokens_in) == (12, 0)
        assert answer.created_at.tzinfo is not None

    def test_a_refusal_has_no_label_and_no_probabilities(self, database: Database) -> None:
        refused = make_answer(
            "a", status="refused", label=None, probabilities=None, confidence=None
        )
        with database.write() as session:
            AnswerRepository(session).store(TENANT, [refused])
            absent = select(func.count()).where(TeacherAnswerRow.probabilities.is_(None))
            assert session.scalars(absent).one() == 1

    def test_the_first_answer_stays(self, database: Database) -> None:
        with database.write() as session:
            repository = AnswerRepository(session)
            repository.store(TENANT, [make_answer("a", label="billing")])
            repository.store(TENANT, [make_answer("a", label="tech"), make_answer("b")])
        with database.read() as session:
            found = AnswerRepository(session).find(TENANT, ["a", "b"], job_id=JOB)
        assert found["a"].label == "billing"
        assert set(found) == {"a", "b"}

    def test_tenants_do_not_share_answers(self, database: Database) -> None:
        with database.write() as session:
            repository = AnswerRepository(session)
            repository.store(TENANT, [make_answer("a", label="billing")])
            repository.store(OTHER, [make_answer("a", label="tech")])
            assert repository.find(TENANT, ["a"], job_id=JOB)["a"].label == "billing"
            assert repository.find(OTHER, ["a"], job_id=JOB)["a"].label == "tech"

    def test_nothing_asked_or_stored_is_no_error(self, database: Database) -> None:
        with database.write() as session:
            AnswerRepository(session).store(TENANT, [])
            assert AnswerRepository(session).find(TENANT, [], job_id=JOB) == {}

    def test_more_than_one_statement_can_hold(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(answers, "KEYS_AT_ONCE", 7)
        monkeypatch.setattr(answers, "ROWS_AT_ONCE", 9)
        keys = [f"key-{number:03d}" for number in range(50)]
        with database.write() as session:
            AnswerRepository(session).store(TENANT, [make_answer(key) for key in keys])
        with database.read() as session:
            assert set(AnswerRepository(session).find(TENANT, keys, job_id=JOB)) == set(keys)

    def test_full_statements_are_within_the_databases_limits(self, database: Database) -> None:
        keys = [f"key-{number:05d}" for number in range(answers.KEYS_AT_ONCE + 1)]
        with database.write() as session:
            repository = AnswerRepository(session)
            repository.store(TENANT, [make_answer(key) for key in keys])
            assert len(repository.find(TENANT, keys, job_id=JOB)) == len(keys)

    def test_writers_of_the_same_keys_do_not_wait_in_a_circle(self, database: Database) -> None:
        keys = [f"key-{number:03d}" for number in range(300)]
        gate = Barrier(4)

        def store(turn: int) -> None:
            ordered = keys if turn % 2 else keys[::-1]
            gate.wait(timeout=10)
            with database.write() as session:
                AnswerRepository(session).store(TENANT, [make_answer(key) for key in ordered])

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(store, range(4)))
        with database.read() as session:
            assert len(AnswerRepository(session).find(TENANT, keys, job_id=JOB)) == len(keys)


class TestAFailure:
    def store(self, database: Database, job_id: JobId, status: str, *, age_s: float = 0) -> None:
        with database.write() as session:
            label = "billing" if status == "answered" else None
            answer = make_answer("a", status=status, label=label, job_id=job_id)
            AnswerRepository(session).store(TENANT, [answer])
            session.execute(update(TeacherAnswerRow).values(created_at=db_now(-age_s)))

    def found(self, database: Database, job_id: JobId) -> str | None:
        with database.read() as session:
            rows = AnswerRepository(session).find(TENANT, ["a"], job_id=job_id)
        return rows["a"].status if rows else None

    @pytest.mark.parametrize("status", ["refused", "malformed", "too_long"])
    def test_stays_one_for_the_job_that_met_it(self, database: Database, status: str) -> None:
        self.store(database, JOB, status, age_s=10 * DAY)
        assert self.found(database, JOB) == status

    @pytest.mark.parametrize("status", ["refused", "malformed", "too_long"])
    def test_is_asked_again_by_others_a_day_later(self, database: Database, status: str) -> None:
        self.store(database, JOB, status, age_s=DAY - 60)
        assert self.found(database, ANOTHER_JOB) == status
        self.store(database, JOB, status, age_s=DAY + 60)
        assert self.found(database, ANOTHER_JOB) is None

    @pytest.mark.parametrize("job_id", [JOB, ANOTHER_JOB], ids=["by-the-job", "by-another"])
    def test_of_the_server_is_asked_again(self, database: Database, job_id: JobId) -> None:
        self.store(database, JOB, "failed")
        assert self.found(database, job_id) is None

    def test_gives_way_to_an_answer_and_an_answer_to_nothing(self, database: Database) -> None:
        self.store(database, JOB, "refused")
        self.store(database, ANOTHER_JOB, "answered")
        self.store(database, JOB, "malformed")
        assert self.found(database, JOB) == "answered"

    def test_an_answer_is_good_for_ever(self, database: Database) -> None:
        self.store(database, JOB, "answered", age_s=1000 * DAY)
        assert self.found(database, ANOTHER_JOB) == "answered"
