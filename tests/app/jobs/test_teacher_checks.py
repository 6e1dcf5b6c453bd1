"""What POST /jobs makes of teachers behind a wire, and which budgets it asks for."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.jobs.budget import BudgetSpec
from app.jobs.teacher_checks import check_budget, complete_teacher, hold_teachers
from app.teacher_budgets import BudgetRequired, PriceUnknown
from core.db.repositories.teachers import TeacherRepository
from core.db.session import Database
from core.egress.allow_list import AllowList
from core.egress.errors import InvalidTeacherUrl, TeacherUrlForbidden
from core.errors import Gone, ServiceError, ValidationFailed
from core.ids import TenantId, new_teacher_id
from core.prices import PriceEntry, PriceTable
from llkd.specs import (
    EnsembleTeacher,
    FewShotTeacher,
    OpenAITeacher,
    SingleTeacher,
    TokenPrices,
)
from tests.factories import TENANT, make_teacher

URL = "https://api.openai.com/v1"
LOCAL = "http://vllm:8000/v1"
ALLOWED = AllowList.parse(["api.openai.com", "http://vllm:8000"])
NO_PRICES = PriceTable()
CHEAP = {"input_usd_per_million": 0.15, "output_usd_per_million": 0.6}
DEAR = {"input_usd_per_million": 2.5, "output_usd_per_million": 10.0}
LISTED = PriceTable(
    (
        PriceEntry.model_validate(
            {"host": "api.openai.com", "model": "gpt-4o*", "as_of": "2026-07-01", **DEAR},
            strict=False,
        ),
    )
)
FREE = TokenPrices(input_usd_per_million=0, output_usd_per_million=0)


def store(database: Database, **given: Any) -> str:
    with database.write() as session:
        return make_teacher(session, **given).id


def complete(database: Database, teacher: Any, *, prices: PriceTable = NO_PRICES) -> Any:
    with database.read() as session:
        return complete_teacher(session, TENANT, teacher, allow_list=ALLOWED, prices=prices)


def refusal(database: Database, teacher: Any, kind: type[ServiceError]) -> ServiceError:
    with pytest.raises(kind) as refused:
        complete(database, teacher)
    return refused.value


class TestCompleteTeacher:
    def test_what_a_connection_says_is_filled_in(self, database: Database) -> None:
        settings = {"concurrency": 8, "requests_per_minute": 500, "prices": CHEAP}
        teacher_id = store(database, settings=settings)
        completed = complete(database, OpenAITeacher(teacher_id=teacher_id, votes=3))
        assert (completed.teacher_id, completed.base_url) == (teacher_id, URL)
        assert (completed.model, completed.votes) == ("gpt-4o-mini", 3)
        assert (completed.concurrency, completed.requests_per_minute) == (8, 500)
        assert completed.prices == TokenPrices(**CHEAP)
        assert (completed.tokens_per_minute, completed.timeout_seconds) == (None, 60.0)

    def test_what_the_request_says_counts_more(self, database: Database) -> None:
        settings = {"concurrency": 8, "requests_per_minute": 500, "timeout_seconds": 5.0}
        asked = OpenAITeacher(
            teacher_id=store(database, settings=settings),
            concurrency=64,
            requests_per_minute=None,
            timeout_seconds=30.0,
        )
        completed = complete(database, asked)
        # 64 is the default, and was said; null says nothing.
        assert (completed.concurrency, completed.timeout_seconds) == (64, 30.0)
        assert completed.requests_per_minute == 500

    def test_a_completed_teacher_is_read_back_and_completed_to_itself(
        self, database: Database
    ) -> None:
        settings = {"concurrency": 8, "prices": CHEAP}
        completed = complete(database, OpenAITeacher(teacher_id=store(database, settings=settings)))
        stored = completed.model_dump(mode="json")
        assert OpenAITeacher.model_validate(stored) == completed
        assert complete(database, OpenAITeacher.model_validate(stored)) == completed

    def test_a_connection_that_changes_later_does_not_change_it(self, database: Database) -> None:
        teacher_id = store(database, settings={"concurrency": 8})
        completed = complete(database, OpenAITeacher(teacher_id=teacher_id))
        with database.write() as session:
            teachers = TeacherRepository(session)
            row = teachers.get(TENANT, completed.teacher_id)
            assert row is not None
            teachers.patch(TENANT, row.id, name="new", settings={"concurrency": 1})
        assert complete(database, completed).concurrency == 8

    def test_an_address_without_a_connection_needs_none(self, database: Database) -> None:
        completed = complete(database, OpenAITeacher(base_url="HTTP://VLLM:8000/v1/", model="q"))
        assert (completed.base_url, completed.teacher_id) == (LOCAL, None)

    def test_every_member_of_an_ensemble_is_completed(self, database: Database) -> None:
        members: tuple[SingleTeacher, ...] = (
            FewShotTeacher(),
            OpenAITeacher(teacher_id=store(database)),
        )
        completed = complete(database, EnsembleTeacher(teachers=members))
        assert completed.teachers[0] == FewShotTeacher()
        assert completed.teachers[1].base_url == URL

    def test_a_local_teacher_stays_as_it_is(self, database: Database) -> None:
        assert complete(database, FewShotTeacher()) == FewShotTeacher()


class TestPrices:
    def test_the_requests_come_before_the_connections_and_these_before_the_operators(
        self, database: Database
    ) -> None:
        bare, priced = store(database), store(database, settings={"prices": CHEAP})
        own = TokenPrices(input_usd_per_million=9, output_usd_per_million=9)
        for asked, expected in (
            (OpenAITeacher(teacher_id=priced, prices=own), own),
            (OpenAITeacher(teacher_id=priced), TokenPrices(**CHEAP)),
            (OpenAITeacher(teacher_id=bare), TokenPrices(**DEAR)),
        ):
            assert complete(database, asked, prices=LISTED).prices == expected
        assert complete(database, OpenAITeacher(teacher_id=bare)).prices is None

    def test_a_connections_prices_are_those_of_its_model_alone(self, database: Database) -> None:
        priced = store(database, settings={"prices": CHEAP})
        dear = OpenAITeacher(teacher_id=priced, model="gpt-4o")
        assert complete(database, dear, prices=LISTED).prices == TokenPrices(**DEAR)
        unlisted = OpenAITeacher(teacher_id=priced, model="o3")
        assert complete(database, unlisted, prices=LISTED).prices is None

    def test_a_server_of_the_operators_own_network_costs_nothing(self, database: Database) -> None:
        completed = complete(database, OpenAITeacher(base_url=LOCAL, model="q"))
        assert completed.prices == FREE


class TestRefusals:
    def test_no_connection_and_another_tenants_look_alike(self, database: Database) -> None:
        unknown, foreign = new_teacher_id(), store(database, tenant_id=TenantId("other"))
        for teacher_id in (unknown, foreign):
            error = refusal(database, OpenAITeacher(teacher_id=teacher_id), ValidationFailed)
            assert error.detail == f"There is no teacher {teacher_id}."
            (item,) = error.errors
            assert (item.pointer, item.code) == ("/teacher/teacher_id", "not-found")

    def test_a_deleted_connection_is_gone(self, database: Database) -> None:
        with database.write() as session:
            row = make_teacher(session)
            TeacherRepository(session).tombstone(TENANT, row.id)
        assert refusal(database, OpenAITeacher(teacher_id=row.id), Gone).status == 410

    def test_a_connections_key_goes_to_no_other_address(self, database: Database) -> None:
        asked = OpenAITeacher(teacher_id=store(database), base_url=LOCAL)
        (item,) = refusal(database, asked, ValidationFailed).errors
        assert (item.pointer, item.code) == ("/teacher/base_url", "teacher-connection")

    @pytest.mark.parametrize(
        ("url", "kind"),
        [
            ("file:///etc/passwd", InvalidTeacherUrl),
            ("https://u:p@api.openai.com", InvalidTeacherUrl),
            ("http://127.0.0.1/v1", TeacherUrlForbidden),
            ("https://example.com/v1", TeacherUrlForbidden),
        ],
    )
    def test_a_server_that_may_not_be_called_is_refused_at_its_place(
        self, database: Database, url: str, kind: type[ServiceError]
    ) -> None:
        bad = OpenAITeacher(base_url=url, model="q")
        (item,) = refusal(database, bad, kind).errors
        assert (item.pointer, item.code) == ("/teacher/base_url", kind.code)
        members: tuple[SingleTeacher, ...] = (FewShotTeacher(), bad)
        (item,) = refusal(database, EnsembleTeacher(teachers=members), kind).errors
        assert item.pointer == "/teacher/teachers/1/base_url"

    def test_a_stored_server_that_the_operator_struck_out_is_refused(
        self, database: Database
    ) -> None:
        asked = OpenAITeacher(teacher_id=store(database, base_url="https://example.com/v1"))
        (item,) = refusal(database, asked, TeacherUrlForbidden).errors
        assert item.pointer == "/teacher/teacher_id"


def priced(prices: TokenPrices | None) -> OpenAITeacher:
    return OpenAITeacher(base_url=URL, model="m", prices=prices)


PAID, UNKNOWN, FOR_NOTHING = priced(TokenPrices(**CHEAP)), priced(None), priced(FREE)
ONE_WAY = priced(TokenPrices(input_usd_per_million=0, output_usd_per_million=0.1))
NONE, USD, CALLS = BudgetSpec(), BudgetSpec(max_usd=5.0), BudgetSpec(max_teacher_calls=100)
BOTH = BudgetSpec(max_usd=5.0, max_teacher_calls=100)


def among(*members: SingleTeacher) -> EnsembleTeacher:
    return EnsembleTeacher(teachers=members)


class TestCheckBudget:
    @pytest.mark.parametrize(
        ("teacher", "budget"),
        [
            *((FOR_NOTHING, budget) for budget in (NONE, USD, CALLS, BOTH)),
            *((FewShotTeacher(), budget) for budget in (NONE, USD, CALLS, BOTH)),
            *((PAID, budget) for budget in (USD, CALLS, BOTH)),
            (UNKNOWN, CALLS),
            (among(FewShotTeacher(), FOR_NOTHING), NONE),
            (among(PAID, FewShotTeacher()), USD),
            (among(PAID, UNKNOWN), CALLS),
        ],
    )
    def test_these_are_enough(self, teacher: Any, budget: BudgetSpec) -> None:
        check_budget(teacher, budget)

    @pytest.mark.parametrize(
        ("teacher", "budget", "kind", "pointer"),
        [
            (PAID, NONE, BudgetRequired, "/budget"),
            (ONE_WAY, NONE, BudgetRequired, "/budget"),
            (UNKNOWN, NONE, BudgetRequired, "/budget/max_teacher_calls"),
            (UNKNOWN, USD, PriceUnknown, "/budget/max_usd"),
            (UNKNOWN, BOTH, PriceUnknown, "/budget/max_usd"),
            (among(FewShotTeacher(), PAID), NONE, BudgetRequired, "/budget"),
            (among(PAID, UNKNOWN), USD, PriceUnknown, "/budget/max_usd"),
            (among(FOR_NOTHING, UNKNOWN), NONE, BudgetRequired, "/budget/max_teacher_calls"),
        ],
    )
    def test_these_are_not(
        self, teacher: Any, budget: BudgetSpec, kind: type[ServiceError], pointer: str
    ) -> None:
        with pytest.raises(kind) as refused:
            check_budget(teacher, budget)
        (item,) = refused.value.errors
        assert (item.pointer, item.code) == (pointer, kind.code)


class TestHoldTeachers:
    def test_a_deletion_waits_for_the_job_that_is_being_added(self, database: Database) -> None:
        with database.write() as session:
            row = make_teacher(session)

        def delete() -> bool:
            with database.write() as session:
                TeacherRepository(session).hold(TENANT, row.id)
                return TeacherRepository(session).tombstone(TENANT, row.id)

        asked = among(FewShotTeacher(), OpenAITeacher(teacher_id=row.id))
        with ThreadPoolExecutor(1) as threads:
            with database.write() as session:
                hold_teachers(session, TENANT, asked)
                deletion = threads.submit(delete)
                with pytest.raises(TimeoutError):
                    deletion.result(timeout=0.3)
            assert deletion.result(timeout=20)
        with database.write() as session, pytest.raises(Gone):
            hold_teachers(session, TENANT, asked)
