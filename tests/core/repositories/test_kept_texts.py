"""Which of a model's unsure texts are kept, whoever offers them and however often."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

import pytest
from sqlalchemy import select

from core.db.repositories.kept_texts import (
    Keeping,
    KeptReason,
    KeptTextRepository,
    UnsureText,
)
from core.db.repositories.models import ModelRepository
from core.db.session import Database
from core.db.tables import KeptTextRow, ModelRow
from core.ids import ModelId, TenantId
from tests.factories import TENANT, make_job, make_model


@pytest.fixture
def model_id(database: Database) -> ModelId:
    return add_model(database)


def add_model(database: Database) -> ModelId:
    with database.write() as session:
        job = make_job(session)
        make_model(session, job, "6" * 64)
        model = session.scalars(select(ModelRow).where(ModelRow.job_id == job.id)).one()
        return model.id


def unsure(text: str, *, score: float = 0.4) -> UnsureText:
    return UnsureText(text, "tech", score, KeptReason.LOW_CONFIDENCE)


def switch_on(database: Database, model_id: ModelId, *, max_rows: int) -> None:
    with database.write() as session:
        KeptTextRepository(session).switch_on(TENANT, model_id, below=0.6, max_rows=max_rows)


def keeping_of(database: Database, model_id: ModelId) -> Keeping:
    """What a process remembers of the model."""
    with database.read() as session:
        row = KeptTextRepository(session).keeping(TENANT, model_id)
        assert row is not None
        return Keeping.of(row)


def offer(database: Database, model_id: ModelId, texts: Sequence[str]) -> None:
    """As a process does: ask first, then write."""
    keeping = keeping_of(database, model_id)
    with database.read() as session:
        wanted = KeptTextRepository(session).wanted(keeping, [unsure(text) for text in texts])
    with database.write() as session:
        KeptTextRepository(session).keep(keeping, wanted)


def kept(database: Database, model_id: ModelId) -> list[str]:
    with database.read() as session:
        return list(KeptTextRepository(session).texts(model_id))


class TestKeep:
    def test_nothing_is_kept_unless_it_was_asked_for(
        self, database: Database, model_id: ModelId
    ) -> None:
        keeping = Keeping(model_id, below=0.6, max_rows=10, since=datetime.now(UTC))
        with database.write() as session:
            texts = KeptTextRepository(session)
            assert texts.wanted(keeping, [unsure("a")]) == []
            texts.keep(keeping, [unsure("a")])
        assert kept(database, model_id) == []

    def test_a_text_is_kept_once_however_it_is_written(
        self, database: Database, model_id: ModelId
    ) -> None:
        switch_on(database, model_id, max_rows=10)
        offer(database, model_id, ["caf\u00e9", " cafe\u0301\n", "caf\u00e9"])
        offer(database, model_id, ["cafe\u0301", "tea"])
        assert sorted(kept(database, model_id)) == ["caf\u00e9", "tea"]

    def test_what_is_kept_of_more_depends_on_no_order_and_no_repeats(
        self, database: Database, model_id: ModelId
    ) -> None:
        texts = [f"text {number}" for number in range(60)]
        switch_on(database, model_id, max_rows=60)
        offer(database, model_id, texts)
        expected = kept(database, model_id)[:10]
        with database.write() as session:
            KeptTextRepository(session).switch_off(TENANT, model_id)
        switch_on(database, model_id, max_rows=10)
        for seed in range(3):
            shuffled = texts[:]
            Random(seed).shuffle(shuffled)
            for start in range(0, 60, 7):
                offer(database, model_id, shuffled[start : start + 7])
                assert len(kept(database, model_id)) <= 10
        assert kept(database, model_id) == expected
        assert set(expected) != set(texts[:10])

    def test_what_would_fall_out_at_once_is_not_wanted(
        self, database: Database, model_id: ModelId
    ) -> None:
        switch_on(database, model_id, max_rows=5)
        offer(database, model_id, [f"text {number}" for number in range(200)])
        with database.read() as session:
            again = [unsure(f"text {number}") for number in range(200)]
            keeping = keeping_of(database, model_id)
            assert KeptTextRepository(session).wanted(keeping, again) == []

    def test_two_models_keep_different_texts_of_the_same_traffic(
        self, database: Database, model_id: ModelId
    ) -> None:
        other = add_model(database)
        texts = [f"text {number}" for number in range(100)]
        for each in (model_id, other):
            switch_on(database, each, max_rows=10)
            offer(database, each, texts)
        assert kept(database, model_id) != kept(database, other)

    def test_processes_at_once_hold_one_cap(self, database: Database, model_id: ModelId) -> None:
        switch_on(database, model_id, max_rows=20)
        start = threading.Barrier(4)

        def traffic(number: int) -> None:
            start.wait()
            for turn in range(5):
                offer(database, model_id, [f"{(number + turn) % 4} {each}" for each in range(20)])

        threads = [threading.Thread(target=traffic, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = kept(database, model_id)
        assert len(found) == len(set(found)) == 20

    def test_between_question_and_answer_it_may_be_switched_off(
        self, database: Database, model_id: ModelId
    ) -> None:
        switch_on(database, model_id, max_rows=5)
        keeping = keeping_of(database, model_id)
        with database.read() as session:
            wanted = KeptTextRepository(session).wanted(keeping, [unsure("a")])
        with database.write() as session:
            KeptTextRepository(session).switch_off(TENANT, model_id)
        with database.write() as session:
            KeptTextRepository(session).keep(keeping, wanted)
        assert kept(database, model_id) == []

    def test_nor_do_they_come_into_the_keeping_that_is_switched_on_after_it(
        self, database: Database, model_id: ModelId
    ) -> None:
        switch_on(database, model_id, max_rows=5)
        before = keeping_of(database, model_id)
        with database.write() as session:
            KeptTextRepository(session).switch_off(TENANT, model_id)
        switch_on(database, model_id, max_rows=5)
        with database.write() as session:
            texts = KeptTextRepository(session)
            assert texts.wanted(before, [unsure("a")]) == []
            texts.keep(before, [unsure("a")])
        assert kept(database, model_id) == []

    def test_a_keeping_that_was_changed_is_the_same_one(
        self, database: Database, model_id: ModelId
    ) -> None:
        switch_on(database, model_id, max_rows=5)
        before = keeping_of(database, model_id)
        switch_on(database, model_id, max_rows=2)
        with database.write() as session:
            KeptTextRepository(session).keep(before, [unsure(text) for text in "abc"])
        assert len(kept(database, model_id)) == 2


class TestSwitch:
    def test_a_lower_cap_holds_at_once(self, database: Database, model_id: ModelId) -> None:
        switch_on(database, model_id, max_rows=10)
        offer(database, model_id, [f"text {number}" for number in range(10)])
        before = kept(database, model_id)
        switch_on(database, model_id, max_rows=3)
        assert kept(database, model_id) == before[:3]

    def test_off_deletes_the_texts_of_this_model_alone(
        self, database: Database, model_id: ModelId
    ) -> None:
        other = add_model(database)
        for each in (model_id, other):
            switch_on(database, each, max_rows=10)
            offer(database, each, ["a", "b"])
        with database.write() as session:
            KeptTextRepository(session).switch_off(TENANT, model_id)
        with database.read() as session:
            left = session.scalars(select(KeptTextRow.model_id)).all()
            assert KeptTextRepository(session).keeping(TENANT, model_id) is None
        assert left == [other, other]

    def test_another_tenant_sees_and_changes_nothing(
        self, database: Database, model_id: ModelId
    ) -> None:
        switch_on(database, model_id, max_rows=10)
        offer(database, model_id, ["a"])
        stranger = TenantId("other")
        with database.write() as session:
            texts = KeptTextRepository(session)
            assert texts.keeping(stranger, model_id) is None
            texts.switch_off(stranger, model_id)
        assert kept(database, model_id) == ["a"]


class TestRead:
    def test_counts_name_every_reason(self, database: Database, model_id: ModelId) -> None:
        switch_on(database, model_id, max_rows=10)
        with database.write() as session:
            texts = KeptTextRepository(session)
            texts.keep(
                keeping_of(database, model_id),
                [unsure("a"), unsure("b"), UnsureText("c", "tech", 0.9, KeptReason.DEFERRED)],
            )
        with database.read() as session:
            counts = KeptTextRepository(session).count(model_id)
        assert counts == {KeptReason.LOW_CONFIDENCE: 2, KeptReason.DEFERRED: 1}

    def test_pages_meet_each_text_once(self, database: Database, model_id: ModelId) -> None:
        switch_on(database, model_id, max_rows=10)
        offer(database, model_id, [f"text {number}" for number in range(5)])
        found: list[str] = []
        after = None
        with database.read() as session:
            while True:
                page = KeptTextRepository(session).page(model_id, limit=2, after=after)
                found += [row.text for row in page.rows]
                if not page.has_more:
                    break
                after = page.rows[-1].digest
        assert found == kept(database, model_id)


def test_a_held_model_is_found_as_it_is_now(database: Database, model_id: ModelId) -> None:
    with database.write() as session:
        models = ModelRepository(session)
        held = models.hold(TENANT, model_id)
        assert held is not None
        assert held.id == model_id
        assert models.hold(TenantId("other"), model_id) is None
