"""What a teacher would cost: intervals from real texts, and nothing for what is stored."""

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
import pytest

from app.jobs.intervals import NOTHING, Interval, mean_of_three, share_of
from app.jobs.teacher_estimate import TeacherEstimate, TextSample, estimate_teacher
from core.db.repositories.answers import AnswerRepository
from core.db.session import Database
from core.db.tables import TeacherAnswerRow
from core.ids import TenantId
from llkd.answer_keys import answer_key
from llkd.specs import DistillationSpec
from llkd.teachers.chat.exchange import estimate_tokens
from llkd.teachers.chat.probed import Probed
from llkd.teachers.chat.prompt import ChatPrompt
from llkd.teachers.chat.rungs.logprobs import TopLogprobs
from llkd.teachers.chat.task import ChatTask
from llkd.teachers.chat.teacher import ChatTeacher
from llkd.types import Question
from tests.factories import TENANT

URL = "http://vllm:8000/v1"
CHAT = {
    "kind": "openai",
    "base_url": URL,
    "model": "m",
    "prices": {"input_usd_per_million": 1.0, "output_usd_per_million": 2.0},
}
LABELS = [{"name": "billing", "examples": ["Where is my refund?"]}, {"name": "tech"}]
TEXTS = [f"The app crashed again on page {number} of it." for number in range(100)]


def spec_of(teacher: dict[str, Any]) -> DistillationSpec:
    return DistillationSpec.model_validate({"labels": LABELS, "teacher": teacher})


def estimate(
    database: Database,
    teacher: dict[str, Any] = CHAT,
    *,
    texts: Sequence[str] = TEXTS,
    rows: int = 100,
    max_calls: int | None = None,
) -> TeacherEstimate:
    with database.read() as session:
        samples = [TextSample(rows, texts)]
        return estimate_teacher(session, TENANT, spec_of(teacher), samples, max_calls=max_calls)


def store_answers(database: Database, texts: Sequence[str], tenant: TenantId = TENANT) -> None:
    """As a job whose server offered logprobs stores them."""
    spec = spec_of(CHAT)
    task = ChatTask(spec.labels, spec.instruction, 4)

    async def silent(*_: Any, **__: Any) -> Any:
        raise AssertionError("nobody is asked")

    teacher = ChatTeacher(task, base_url=URL, model="m", probed=Probed(TopLogprobs()), call=silent)
    rows = [
        TeacherAnswerRow(
            key=answer_key(teacher.fingerprint, Question(text)),
            status="answered",
            confidence_source="none",
            model="m",
        )
        for text in texts
    ]
    with database.write() as session:
        AnswerRepository(session).store(tenant, rows)


class TestTokens:
    def test_are_those_of_the_prompt_that_is_sent(self, database: Database) -> None:
        """The worker holds three bytes a token for a prompt: the high end here."""
        spec = spec_of(CHAT)
        prompt = ChatPrompt(ChatTask(spec.labels, spec.instruction, 4))
        sent = sum(estimate_tokens(prompt.messages(text)) for text in TEXTS)
        found = estimate(database).tokens
        assert found.high == pytest.approx(sent, rel=0.02)
        assert 0.5 * sent < found.low < found.expected < found.high

    def test_of_another_script_are_more_and_less_certain(self, database: Database) -> None:
        texts = [text.replace("crashed", "崩溃了请尽快修复这个问题") for text in TEXTS]
        plain, other = estimate(database).tokens, estimate(database, texts=texts).tokens
        assert other.expected > plain.expected
        assert other.high - other.low > plain.high - plain.low

    def test_of_a_part_are_less_certain_than_those_of_all(self, database: Database) -> None:
        texts = [text * (1 + place % 7) for place, text in enumerate(TEXTS)]
        whole = estimate(database, texts=texts, rows=100).tokens
        part = estimate(database, texts=texts, rows=10_000).tokens
        assert part.expected == pytest.approx(100 * whole.expected)
        assert part.low < 100 * whole.low
        assert part.high > 100 * whole.high

    def test_are_not_read_where_answers_are_given(self, database: Database) -> None:
        found = estimate(database, {"kind": "provided"})
        assert (found.tokens, found.usd) == (NOTHING, NOTHING)


class TestMoney:
    def test_is_tokens_times_prices(self, database: Database) -> None:
        found = estimate(database)
        assert found.usd is not None
        assert found.usd.expected == pytest.approx((found.tokens.expected + 100 * 4 * 2) / 1e6)

    def test_is_unknown_without_a_price(self, database: Database) -> None:
        assert estimate(database, CHAT | {"prices": None}).usd is None

    def test_of_an_ensemble_is_that_of_its_members(self, database: Database) -> None:
        alone = estimate(database)
        both = estimate(
            database, {"kind": "ensemble", "teachers": [CHAT, CHAT | {"base_url": f"{URL}/b"}]}
        )
        assert both.calls == Interval(200, 200, 200)
        assert alone.usd is not None
        assert both.usd is not None
        assert both.usd.high == pytest.approx(2 * alone.usd.high)

    def test_is_capped_with_the_calls(self, database: Database) -> None:
        whole, capped = estimate(database), estimate(database, max_calls=25)
        assert capped.calls == Interval(25, 25, 25)
        assert whole.usd is not None
        assert capped.usd is not None
        assert capped.usd.expected == pytest.approx(whole.usd.expected / 4)


class TestLimits:
    def test_the_tighter_one_tells_how_long_it_lasts(self, database: Database) -> None:
        found = estimate(database, CHAT | {"requests_per_minute": 50})
        assert found.limit_seconds == Interval(120, 120, 120)
        found = estimate(database, CHAT | {"requests_per_minute": 50, "tokens_per_minute": 1000})
        assert found.limit_seconds is not None
        assert found.limit_seconds.expected == pytest.approx(found.tokens.expected * 0.06)

    def test_without_any_it_is_not_known(self, database: Database) -> None:
        assert estimate(database).limit_seconds is None
        assert estimate(database, {"kind": "few_shot"}).limit_seconds is None


class TestStoredAnswers:
    def test_are_counted_and_cost_nothing(self, database: Database) -> None:
        whole = estimate(database)
        store_answers(database, TEXTS[:40])
        found = estimate(database)
        assert found.cached == Interval(40, 40, 40)
        assert found.calls == Interval(60, 60, 60)
        assert found.usd is not None
        assert whole.usd is not None
        assert found.usd.expected == pytest.approx(0.6 * whole.usd.expected)

    def test_of_a_sample_are_an_interval(self, database: Database) -> None:
        store_answers(database, TEXTS[:40])
        found = estimate(database, rows=1000).cached
        assert found is not None
        assert (round(found.low), found.expected, round(found.high)) == (309, 400, 498)

    def test_of_another_tenant_or_model_are_none(self, database: Database) -> None:
        store_answers(database, TEXTS, tenant=TenantId("other"))
        assert estimate(database).cached == NOTHING
        store_answers(database, TEXTS)
        assert estimate(database, CHAT | {"model": "n"}).cached == NOTHING

    def test_of_a_local_teacher_are_not_known(self, database: Database) -> None:
        found = estimate(database, {"kind": "few_shot"})
        assert found.cached is None
        assert found.calls == Interval(0, 100, 100)


class TestIntervals:
    def test_a_mean_lies_in_its_interval_nineteen_times_in_twenty(self) -> None:
        lot = np.random.default_rng(0)
        pile = lot.lognormal(3, 0.5, 2000)
        inside = 0
        for _ in range(400):
            drawn = [(value, value, value) for value in lot.choice(pile, 100, replace=False)]
            found = mean_of_three(drawn, rows=2000)
            inside += found.low <= pile.mean() <= found.high
        assert 0.92 <= inside / 400 <= 0.98

    def test_nothing_drawn_is_nothing_known_of_nothing(self) -> None:
        assert astuple(share_of(0, 0, rows=0)) == (0, 0, 0)
        assert mean_of_three([], rows=0) == NOTHING
