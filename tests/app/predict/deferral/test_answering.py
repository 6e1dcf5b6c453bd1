"""What a model's teacher is asked at prediction, what it is not, and what that costs."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from core.db.session import Database
from core.db.tables import TeacherAnswerRow
from tests.app.predict.deferral.parts import (
    LABELS,
    MICROS_AN_ANSWER,
    MODEL,
    PRICES,
    add_model,
    deferring,
    figures,
    given,
    job_of,
    statuses,
    stored,
    switch_on,
)
from tests.factories import TENANT
from tests.fault_server import FaultServer, completion, late, reply, says
from tests.worker.corpus import add_dataset, add_distillation, make_rows, make_spec
from tests.worker.workshop import Workshop
from worker.stages.label import label


def counted() -> dict[str, float]:
    """What the process has counted so far."""
    samples = {
        status: ("llkd_deferred_texts_total", {"status": status})
        for status in ("answered", "cached", "blank")
    }
    samples["calls"] = ("llkd_deferral_calls_total", {"outcome": "replied"})
    samples["requests"] = ("llkd_deferral_seconds_count", {})
    return {
        name: REGISTRY.get_sample_value(sample, labels) or 0.0
        for name, (sample, labels) in samples.items()
    }


class TestAnAnswer:
    def test_is_the_teachers_with_its_price(self, database: Database, server: FaultServer) -> None:
        model = given(database, server.url, caps={"cap_micros": 1_000_000})

        async def scenario() -> None:
            async with deferring(database, server.url) as deferral:
                [answer] = await deferral.answer(TENANT, model, ["where is my parcel"])
            assert answer.status == "answered"
            assert answer.probabilities is not None
            assert answer.label == answer.probabilities.index(max(answer.probabilities))
            assert sum(answer.probabilities) == pytest.approx(1)
            assert answer.model == "faulty-0001"

        asyncio.run(scenario())
        [row] = stored(database)
        assert (row.job_id, row.status) == (job_of(database, model), "answered")
        assert row.label in LABELS
        assert figures(database, model) == (MICROS_AN_ANSWER, 0, 1, 0)

    def test_is_counted_by_what_became_of_it(self, database: Database, server: FaultServer) -> None:
        model = given(database, server.url)
        before = counted()

        async def scenario() -> None:
            async with deferring(database, server.url) as deferral:
                await deferral.answer(TENANT, model, ["a", "b", ""])
                await deferral.answer(TENANT, model, ["a", "a"])

        asyncio.run(scenario())
        told = {name: value - before[name] for name, value in counted().items()}
        assert told == {"answered": 2, "cached": 2, "blank": 1, "calls": 2, "requests": 2}

    def test_is_bought_once(self, database: Database, server: FaultServer) -> None:
        model = given(database, server.url)

        async def scenario() -> None:
            async with deferring(database, server.url) as deferral:
                [bought] = await deferral.answer(TENANT, model, ["hello"])
                [found] = await deferral.answer(TENANT, model, ["hello"])
            # As another process, or this one after it was started again.
            async with deferring(database, server.url) as deferral:
                [again] = await deferral.answer(TENANT, model, [" hello\n"])
            assert [bought.status, found.status, again.status] == ["answered", "cached", "cached"]
            assert bought.label == found.label == again.label
            assert bought.probabilities == found.probabilities == again.probabilities
            assert bought.model == again.model

        asyncio.run(scenario())
        assert len(server.asked) == 1
        assert figures(database, model) == (MICROS_AN_ANSWER, 0, 1, 0)

    def test_of_training_is_found(
        self, database: Database, server: FaultServer, tmp_path: Path
    ) -> None:
        workshop = Workshop(database, tmp_path / "var", tmp_path / "models")
        rows = make_rows(20, gold=0)
        dataset = add_dataset(database, workshop.data_dir, rows)
        teacher = {"kind": "openai", "base_url": server.url, "model": MODEL, "prices": PRICES}
        spec = make_spec(teacher=teacher)
        add_distillation(database, dataset, spec=spec)
        job = workshop.claim(teacher_hosts=(server.url.removesuffix("/v1"),))
        assert label(job, {})["counts"]["answered"] == 20
        asked = len(server.asked)
        known = next(m.detail["probed"] for m in workshop.told if "probed" in m.detail)  # type: ignore[union-attr]
        model = add_model(database, server.url, spec=spec, known=known[f"{server.url} {MODEL}"])
        switch_on(database, model)

        async def scenario() -> list[str]:
            async with deferring(database, server.url) as deferral:
                return statuses(await deferral.answer(TENANT, model, [r["text"] for r in rows]))

        assert asyncio.run(scenario()) == ["cached"] * 20
        assert len(server.asked) == asked
        assert figures(database, model) == (0, 0, 0, 0)

    def test_comes_in_the_order_of_the_texts(self, database: Database, server: FaultServer) -> None:
        def react(asked):
            if asked.text == "refused":
                return says(reply(completion(finish_reason="content_filter")))
            return late(0.2 if asked.text == "slow" else 0)

        server.react = react
        model = given(database, server.url)

        async def scenario() -> list[str]:
            async with deferring(database, server.url) as deferral:
                texts = ["slow", "refused", "", "quick", "slow", "  "]
                return statuses(await deferral.answer(TENANT, model, texts))

        assert asyncio.run(scenario()) == [
            *("answered", "refused", "blank", "answered", "answered", "blank")
        ]
        assert sorted(asked.text for asked in server.asked) == ["quick", "refused", "slow"]

    def test_two_requests_at_once_ask_once(self, database: Database, server: FaultServer) -> None:
        server.react = lambda _: late(0.3)
        model = given(database, server.url)

        async def scenario() -> None:
            async with deferring(database, server.url) as deferral:
                answers = await asyncio.gather(
                    *(deferral.answer(TENANT, model, ["hello", f"own {i}"]) for i in range(5))
                )
            assert [statuses(each) for each in answers] == [["answered", "answered"]] * 5
            assert len({each[0] for each in answers}) == 1

        asyncio.run(scenario())
        assert len(server.asked) == 6
        assert figures(database, model)[2:] == (6, 0)

    def test_a_hundred_texts_share_few_connections(
        self, database: Database, server: FaultServer
    ) -> None:
        model = given(database, server.url, concurrency=4)

        async def scenario() -> list[str]:
            async with deferring(database, server.url) as deferral:
                texts = [f"text {i}" for i in range(100)]
                return statuses(await deferral.answer(TENANT, model, texts))

        assert asyncio.run(scenario()) == ["answered"] * 100
        assert server.accepted <= 4
        assert figures(database, model) == (100 * MICROS_AN_ANSWER, 0, 100, 0)


class TestARefusal:
    @pytest.mark.parametrize(
        ("reaction", "status", "posts"),
        [
            (says(reply(completion(finish_reason="content_filter"))), "refused", 1),
            (says(reply(completion(content="Z", logprobs=None))), "malformed", 3),
            (says(reply({"error": {"code": "context_length_exceeded"}}, 400)), "too_long", 1),
        ],
    )
    def test_is_remembered(
        self, database: Database, server: FaultServer, reaction, status: str, posts: int
    ) -> None:
        server.react = lambda _: reaction
        model = given(database, server.url)

        async def scenario() -> list[list[str]]:
            async with deferring(database, server.url) as deferral:
                return [statuses(await deferral.answer(TENANT, model, ["x"])) for _ in "12"]

        assert asyncio.run(scenario()) == [[status], [status]]
        assert len(server.asked) == posts
        [row] = stored(database)
        assert (row.status, row.label) == (status, None)
        # A question that the server refuses to read costs nothing, and counts as a call.
        spent = 0 if status == "too_long" else posts * MICROS_AN_ANSWER
        assert figures(database, model) == (spent, 0, 1, 0)

    def test_is_asked_about_again_a_day_later(
        self, database: Database, server: FaultServer
    ) -> None:
        server.react = lambda _: says(reply(completion(finish_reason="content_filter")))
        model = given(database, server.url)

        async def scenario() -> None:
            async with deferring(database, server.url) as deferral:
                await deferral.answer(TENANT, model, ["x"])
                [row] = stored(database)
                with database.write() as session:
                    kept = session.get(TeacherAnswerRow, (row.tenant_id, row.key))
                    assert kept is not None
                    kept.created_at = kept.created_at.replace(year=2020)
                server.react = lambda _: late(0)
                [answer] = await deferral.answer(TENANT, model, ["x"])
            assert answer.status == "answered"

        asyncio.run(scenario())
