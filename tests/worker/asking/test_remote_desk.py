"""Many calls at once: each answer is stored, no cap is passed, and every end is a clean one."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from core.calling.breaker import Park
from core.calling.outcomes import Effort
from core.db.repositories.answers import AnswerRepository
from core.db.repositories.engine import GhostWorker
from core.db.session import Database
from core.db.tables import JobEventRow, TeacherAnswerRow
from core.lifecycle import StopReason
from llkd.errors import TeacherUnusable
from llkd.types import AnswerStatus, Question, TeacherAnswer
from tests.worker.corpus import add_dataset, add_distillation, make_rows
from tests.worker.workshop import Workshop
from worker.asking import remote_desk
from worker.asking.account import JobAccount
from worker.asking.desk import Asked
from worker.asking.purse import Purse
from worker.asking.remote_desk import RemoteDesk
from worker.asking.store import AnswerStore
from worker.labelling_time import LabellingTime

MOST = 40
PRICE = 10


class FakeServer:
    """Answers a moment later; counts what is in flight, and looks at the database meanwhile."""

    def __init__(self, *, concurrency: int = 8, pause_s: float = 0.0) -> None:
        self.concurrency = concurrency
        self.asked: list[str] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.closed = False
        self.look: Callable[[], None] = lambda: None
        self._pause_s = pause_s

    def order(self, questions: Sequence[Question]) -> Sequence[int]:
        return range(len(questions))

    def most_micros(self, question: Question) -> int:
        return MOST

    async def ask(self, question: Question) -> TeacherAnswer:
        self.asked.append(question.text)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self.look()
        await asyncio.sleep(self._pause_s)
        self.in_flight -= 1
        return self.answer(question.text)

    def answer(self, text: str) -> TeacherAnswer:
        status = AnswerStatus.REFUSED if "refuse" in text else AnswerStatus.ANSWERED
        label = None if status is AnswerStatus.REFUSED else 0
        return TeacherAnswer(status, label=label, tokens_in=7, tokens_out=1, cost_micros=PRICE)

    async def close(self) -> None:
        self.closed = True


class Office:
    """A running job with a desk."""

    def __init__(self, workshop: Workshop, server: FakeServer) -> None:
        self.job = workshop.claim()
        self.server = server
        self.database = workshop.database
        self.stopping = False
        self.time = 0.0
        self.told: list[int] = []
        self._workshop = workshop
        job = self.job
        store = AnswerStore(
            job.database,
            tenant_id=job.tenant_id,
            job_id=job.row.id,
            fingerprint="f" * 64,
            model="fake",
            reads_provided=False,
            labels=job.spec.label_names,
        )
        account = JobAccount(job.assignment.claim)
        purse = Purse(job.database, tenant_id=job.tenant_id, account=account)
        self.desk = RemoteDesk(
            server,
            store=store,
            purse=purse,
            runner=asyncio.Runner(),
            labelling_time=LabellingTime(600, clock=lambda: self.time),
            is_stopping=lambda: self.stopping,
        )

    def ask(
        self, texts: Sequence[str], told: Callable[[int], None] | None = None
    ) -> list[Asked | None]:
        questions = [Question(text) for text in texts]
        return self.desk.ask(questions, places=range(len(texts)), told=told or self.told.append)

    def stored(self) -> int:
        with self.database.read() as session:
            return session.query(TeacherAnswerRow).count()

    def accounts(self) -> tuple[int, int, int, int]:
        """Spent calls and micros, held calls and micros."""
        row = self._workshop.row(self.job.row.id)
        return row.spent_calls, row.spent_micros, row.held_calls, row.held_micros


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Iterator[Callable[..., Office]]:
    opened: list[Office] = []

    def open_office(server: FakeServer | None = None, **given: Any) -> Office:
        workshop = Workshop(database, tmp_path / "var", tmp_path / "models")
        dataset = add_dataset(database, workshop.data_dir, make_rows(20, gold=0))
        add_distillation(database, dataset, **given)
        opened.append(Office(workshop, server or FakeServer()))
        return opened[-1]

    yield open_office
    for each in opened:
        each.desk.close()
        assert each.server.closed


def texts(count: int) -> list[str]:
    return [f"text {number}" for number in range(count)]


class TestAsking:
    def test_every_question_has_its_own_answer_in_its_place(self, office):
        here = office()
        asked = here.ask(["one", "refuse two", "three"])
        statuses = [each.answer.status.value for each in asked]
        assert statuses == ["answered", "refused", "answered"]
        assert here.desk.tally.counts()["refused"] == 1
        assert here.desk.tally.tokens() == {"input": 21, "output": 3}

    def test_all_answers_are_stored_and_paid(self, office):
        here = office()
        here.ask(texts(100))
        assert here.stored() == 100
        assert here.accounts() == (100, 100 * PRICE, 0, 0)
        assert here.told[-1] == 100
        found = here.desk.find([Question(text) for text in texts(101)])
        assert [each is None for each in found] == [False] * 100 + [True]
        assert not any(each.cached for each in found if each is not None)

    def test_no_more_calls_than_allowed_are_in_flight_or_unstored(self, office):
        here = office(FakeServer(concurrency=5, pause_s=0.001))
        unstored: list[int] = []
        here.server.look = lambda: unstored.append(len(here.server.asked) - here.stored())
        here.ask(texts(60))
        assert here.server.most_in_flight == 5
        assert max(unstored) <= 5

    def test_a_failed_row_is_named_in_the_jobs_log(self, office):
        here = office()
        here.ask(["one", "refuse two"])
        with here.database.read() as session:
            events = session.query(JobEventRow).filter_by(type="teacher.row_failed").all()
        assert [event.data for event in events] == [{"row": 1, "status": "refused"}]


class TestTheBudget:
    def test_in_calls_is_used_up_exactly(self, office):
        here = office(cap_calls=37)
        asked = here.ask(texts(100))
        assert len(here.server.asked) == 37
        assert sum(each is not None for each in asked) == 37
        assert here.desk.turned_down is StopReason.BUDGET
        assert here.accounts() == (37, 37 * PRICE, 0, 0)
        assert here.ask(texts(100)) == [None] * 100

    def test_in_money_is_never_passed_and_nearly_used_up(self, office):
        """What a call can cost is held, four times what it does; that is free again once paid."""
        cap = 1000
        here = office(FakeServer(concurrency=64, pause_s=0.001), cap_micros=cap)
        most: list[int] = []

        def look() -> None:
            _, spent, _, held = here.accounts()
            most.append(spent + held)

        here.server.look = look
        here.ask(texts(300))
        assert max(most) <= cap
        spent = here.accounts()[1]
        assert cap - MOST < spent <= cap
        assert here.desk.turned_down is StopReason.BUDGET

    def test_in_money_is_told_when_four_fifths_are_spent(self, office):
        here = office(cap_micros=1000)
        here.ask(texts(300))
        with here.database.read() as session:
            (warning,) = session.query(JobEventRow).filter_by(type="budget.warning").all()
        assert warning.data["max_usd"] == 0.001
        assert 0.0008 <= warning.data["spent_usd"] < 0.001

    def test_holds_in_a_hundred_of_a_hundred_runs(self, office, record_property):
        cap = 10 * MOST
        passed = 0
        for _ in range(100):
            here = office(FakeServer(concurrency=64), cap_micros=cap)
            here.ask([f"{here.job.row.id} {text}" for text in texts(80)])
            spent_calls, spent, held_calls, held = here.accounts()
            passed += spent + held <= cap and held_calls == 0 and spent_calls >= 10
        record_property("figure", f"spent + held within the cap in {passed} of 100 runs")
        assert passed == 100


class TestTheTimeForLabelling:
    def test_ends_the_asking_and_leaves_nothing_held(self, office):
        here = office(FakeServer(concurrency=4))

        def tell(over: int) -> None:
            here.time = 601.0 if over >= 12 else 0.0

        asked = here.ask(texts(1000), tell)
        answered = sum(each is not None for each in asked)
        assert 12 <= answered == here.stored() == len(here.server.asked) < 100
        assert here.desk.turned_down is StopReason.TIME
        assert here.accounts() == (answered, answered * PRICE, 0, 0)
        assert here.ask(texts(3)) == [None] * 3
        assert len(here.server.asked) == answered

    def test_parks_no_job_once_it_is_over(self, office):
        class Dying(FakeServer):
            async def ask(self, question: Question) -> TeacherAnswer:
                here.time = 601.0
                raise Park("teacher-unavailable", "Silence.", after_s=60)

        here = office(Dying())
        assert here.ask(texts(20)) == [None] * 20
        assert here.desk.turned_down is StopReason.TIME
        assert here.accounts() == (0, 0, 0, 0)


class TestItsEnd:
    def test_parked_frees_what_was_not_billed_and_keeps_what_came(self, office):
        class Dying(FakeServer):
            async def ask(self, question: Question) -> TeacherAnswer:
                if len(self.asked) >= 20:
                    raise Park("teacher-auth", "The key was refused.", after_s=60)
                return await super().ask(question)

        here = office(Dying())
        with pytest.raises(Park):
            here.ask(texts(100))
        assert here.stored() == 20
        assert here.accounts() == (20, 20 * PRICE, 0, 0)

    def test_parked_after_a_timeout_leaves_its_price_held(self, office):
        """It may have been billed; giving the job back turns it into money spent."""

        class Silent(FakeServer):
            async def ask(self, question: Question) -> TeacherAnswer:
                park = Park("teacher-unavailable", "Silence.", after_s=60)
                park.effort = Effort(attempts=1, timeouts=1, maybe_billed=1)
                raise park

        here = office(Silent(concurrency=1))
        with pytest.raises(Park):
            here.ask(texts(3))
        assert here.accounts() == (0, 0, 1, MOST)

    def test_a_defect_is_raised_once_what_was_paid_is_stored(self, office):
        class Broken(FakeServer):
            def answer(self, text: str) -> TeacherAnswer:
                if text == "text 10":
                    raise ZeroDivisionError
                return super().answer(text)

        here = office(Broken(concurrency=1))
        with pytest.raises(ZeroDivisionError):
            here.ask(texts(100))
        assert here.stored() == 10
        assert here.accounts() == (10, 10 * PRICE, 1, MOST)

    def test_what_is_told_can_end_it(self, office):
        here = office(FakeServer(concurrency=2))

        def tell(over: int) -> None:
            if over >= 10:
                raise TeacherUnusable("enough")

        with pytest.raises(TeacherUnusable):
            here.ask(texts(1000), tell)
        assert 10 <= here.stored() == len(here.server.asked) < 100
        assert here.accounts()[2:] == (0, 0)

    def test_a_request_to_stop_lets_calls_in_flight_come_home(self, office):
        here = office(FakeServer(concurrency=4, pause_s=0.01))

        def tell(over: int) -> None:
            here.stopping = over >= 12

        asked = here.ask(texts(1000), tell)
        answered = sum(each is not None for each in asked)
        assert answered == here.stored() == len(here.server.asked) < 40
        assert here.accounts() == (answered, answered * PRICE, 0, 0)

    def test_a_request_to_stop_does_not_wait_for_ever(self, office, monkeypatch):
        monkeypatch.setattr(remote_desk, "LOOK_S", 0.01)
        monkeypatch.setattr(remote_desk, "PATIENCE_S", 0.05)
        here = office(FakeServer(concurrency=3, pause_s=60))

        def stop_soon() -> None:
            here.stopping = len(here.server.asked) >= 3

        here.server.look = stop_soon
        began = time.monotonic()
        assert here.ask(texts(100)) == [None] * 100
        assert time.monotonic() - began < 5
        # Those in flight may have been billed.
        assert here.accounts() == (0, 0, 3, 3 * MOST)

    def test_a_ghost_stores_what_it_paid_for_and_stops(self, office, monkeypatch):
        here = office(FakeServer(concurrency=2))
        real = AnswerRepository.store

        def lose_the_job(repository: AnswerRepository, *given: object) -> None:
            repository.session.query(type(here.job.row)).update({"attempt": 2})
            real(repository, *given)  # type: ignore[arg-type]

        monkeypatch.setattr(AnswerRepository, "store", lose_the_job)
        with pytest.raises(GhostWorker):
            here.ask(texts(100))
        assert here.stored() == len(here.server.asked) < 20
