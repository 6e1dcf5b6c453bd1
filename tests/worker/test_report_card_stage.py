"""A report card: few texts, asked twice, judged, within its cap, and bought once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.jobs.report_cards import tell_card
from core.db.repositories.stages import StageRepository
from core.db.session import Database
from core.db.tables import JobEventRow, TeacherAnswerRow
from core.lifecycle import Purpose, Stage
from tests.chat_server import MODEL, Offers, make_app, make_model, running
from tests.worker.corpus import LABELS, add_dataset, add_distillation, make_rows, make_spec
from tests.worker.workshop import Workshop
from worker.faults import InjectedFault
from worker.job import Job
from worker.pipeline import _run_stage
from worker.protocol import Json
from worker.stages.label import label
from worker.stages.report_card import draw, report_card

PRICES = {"input_usd_per_million": 1.0, "output_usd_per_million": 1.0}


@pytest.fixture
def workshop(database: Database, tmp_path: Path) -> Workshop:
    return Workshop(database, tmp_path / "var", tmp_path / "models")


@pytest.fixture(scope="module")
def chat() -> Iterator[str]:
    with running(make_app(make_model(("A", "B", "C")), Offers())) as url:
        yield url


def add(workshop: Workshop, url: str, rows: list[Json], **given: Any) -> None:
    teacher = {"kind": "openai", "base_url": url, "model": MODEL, "concurrency": 8}
    dataset = add_dataset(workshop.database, workshop.data_dir, rows)
    spec = make_spec(teacher=teacher | {"prices": PRICES})
    add_distillation(workshop.database, dataset, spec=spec, **given)


def claim(workshop: Workshop, url: str, **given: Any) -> Job:
    return workshop.claim(teacher_hosts=(url.removesuffix("/v1"),), **given)


def carded(workshop: Workshop, url: str, rows: list[Json], **given: Any) -> Job:
    values = {"purpose": Purpose.REPORT_CARD.value, "cap_calls": 100} | given
    add(workshop, url, rows, **values)
    return claim(workshop, url)


def test_its_life_is_one_stage(workshop: Workshop, chat: str) -> None:
    assert carded(workshop, chat, make_rows(60)).life == (Stage.REPORT_CARD,)


class TestDrawing:
    def test_texts_with_gold_come_first(self, workshop: Workshop, chat: str) -> None:
        job = carded(workshop, chat, make_rows(300, gold=30))
        drawn = draw(job, most=50)
        assert len(drawn.texts) == len(set(drawn.texts)) == 50
        assert (drawn.gold[:30] >= 0).all()
        assert (drawn.gold[30:] < 0).all()

    def test_the_others_are_drawn_from_the_whole_file(self, workshop: Workshop, chat: str) -> None:
        drawn = draw(carded(workshop, chat, make_rows(400, gold=0)), most=50)
        assert drawn.rows[0] < 100
        assert drawn.rows[-1] > 300


class TestTheCard:
    def test_judges_half_as_many_texts_as_there_are_calls(
        self, workshop: Workshop, chat: str
    ) -> None:
        job = carded(workshop, chat, make_rows(200, gold=200))
        card = report_card(job, {})
        assert card["texts"] == card["answers"]["asked"] == 50
        assert card["confidence_source"] == "label_logprob"
        assert (card["models"], len(card["rungs"])) == ([f"{MODEL}-0001"], 1)
        gold = card["gold"]
        assert gold["rows"] == 50
        assert 0 <= gold["accuracy"]["low"] <= gold["accuracy"]["value"] <= 1
        assert [each["label"] for each in gold["per_class"]] == list(LABELS)
        assert 0 <= gold["calibration"]["ece"] <= 1
        row = workshop.row(job.row.id)
        assert card["cost"]["calls"] == row.spent_calls == 100
        assert card["cost"]["usd"] == row.spent_micros / 1e6 > 0
        assert card["cost"]["rows_per_second"] > 0

    def test_tells_how_often_another_order_changes_the_label(
        self, workshop: Workshop, chat: str
    ) -> None:
        """The model is random: what it likes is a code, whatever label that stands for."""
        card = report_card(carded(workshop, chat, make_rows(200, gold=0)), {})
        assert card["gold"] is None
        found = card["consistency"]
        assert sum(map(sum, found["confusion"])) == found["rows"]
        same = sum(found["confusion"][place][place] for place in range(len(LABELS)))
        assert found["same"]["value"] == pytest.approx(same / found["rows"])
        assert found["same"]["low"] < found["same"]["high"] < 0.9

    def test_stored_it_is_what_the_service_tells(self, workshop: Workshop, chat: str) -> None:
        job = carded(workshop, chat, make_rows(200, gold=120))
        left = _run_stage(job, Stage.REPORT_CARD, {})
        with workshop.database.read() as session:
            row = StageRepository(session).get(job.row.id)[Stage.REPORT_CARD]
        assert row.output == left
        card = tell_card(row)
        assert card.gold is not None
        assert card.consistency is not None
        assert (card.gold.rows, card.calls, card.cut_short) == (50, 100, None)
        assert card.gold.ece == left["gold"]["calibration"]["ece"]

    def test_stops_at_its_cap_in_money(self, workshop: Workshop, chat: str) -> None:
        job = carded(workshop, chat, make_rows(200, gold=0), cap_micros=20_000)
        card = report_card(job, {})
        assert card["cut_short"] == "budget"
        assert 0 < card["answers"]["asked"] < 50
        assert workshop.row(job.row.id).spent_micros <= 20_000
        with workshop.database.read() as session:
            assert session.query(JobEventRow).filter_by(type="budget.reached").count() == 1


class TestItsAnswers:
    def test_are_found_by_the_job_that_comes_after(self, workshop: Workshop, chat: str) -> None:
        rows = make_rows(60, gold=0)
        report_card(carded(workshop, chat, rows), {})
        add(workshop, chat, rows, cap_calls=1000)
        counts = label(claim(workshop, chat), {})["counts"]
        assert (counts["asked"], counts["cached"]) == (60, 50)

    def test_are_not_bought_again_after_a_crash(self, workshop: Workshop, chat: str) -> None:
        add(
            workshop,
            chat,
            make_rows(60, gold=0),
            purpose=Purpose.REPORT_CARD.value,
            cap_calls=100,
        )
        fault = {"TESTING": "1", "FAULT": "label.batch:raise:4"}
        job = claim(workshop, chat, environment=fault)
        with pytest.raises(InjectedFault):
            report_card(job, {})
        with workshop.database.read() as session:
            before = session.query(TeacherAnswerRow).count()
        assert before > 0
        workshop.give_back(job)
        card = report_card(claim(workshop, chat), {})
        assert card["cost"]["calls"] == 100
        with workshop.database.read() as session:
            assert session.query(TeacherAnswerRow).count() == 100
