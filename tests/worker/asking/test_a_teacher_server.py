"""A job whose teacher is a server with a real model in it, and one that plays faults."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse

from core.calling.breaker import Park
from core.db.repositories.events import EventRepository
from core.db.session import Database
from core.db.tables import TeacherAnswerRow
from core.label_files import iter_labels
from core.lifecycle import PROBED, EventType
from llkd.teachers.chat.errors import RungUnavailable
from tests.chat_server import MODEL, TRANSFORMERS_SERVE, Offers, make_app, make_model, running
from tests.worker.corpus import add_dataset, add_distillation, make_rows, make_spec
from tests.worker.workshop import Workshop
from worker.asking.opening import TeacherNotAllowed
from worker.job import Job
from worker.protocol import Advanced
from worker.stages.label import label

CODES = ("A", "B", "C")


def teacher_at(url: str, **given: Any) -> dict[str, Any]:
    return {"kind": "openai", "base_url": url, "model": MODEL, "concurrency": 8} | given


@pytest.fixture
def workshop(database: Database, tmp_path: Path) -> Workshop:
    return Workshop(database, tmp_path / "var", tmp_path / "models")


@pytest.fixture(scope="module")
def serve() -> Iterator[str]:
    with running(make_app(make_model(CODES), TRANSFORMERS_SERVE)) as url:
        yield url


@pytest.fixture(scope="module")
def chat() -> Iterator[str]:
    with running(make_app(make_model(CODES), Offers())) as url:
        yield url


def claim(
    workshop: Workshop, url: str, *, rows: int = 40, hosts: str | None = None, **given: Any
) -> Job:
    teacher = teacher_at(url, **given.pop("teacher", {}))
    dataset = add_dataset(workshop.database, workshop.data_dir, make_rows(rows, gold=0))
    add_distillation(workshop.database, dataset, spec=make_spec(teacher=teacher), **given)
    allowed = hosts or url.removesuffix("/v1")
    return workshop.claim(teacher_hosts=(allowed,))


class TestAJob:
    def test_has_every_text_labelled_by_the_server(self, workshop: Workshop, chat: str) -> None:
        job = claim(workshop, chat)
        output = label(job, {})
        counts = output["counts"]
        # The model is random: now and then it says what is no code.
        assert counts["answered"] + counts["malformed"] == 40
        assert counts["answered"] >= 30
        assert output["confidence_source"] == "label_logprob"
        [chunk] = iter_labels(job.artifacts.path(output["labels"]))
        answered = [entry for entry in chunk if entry["label"] is not None]
        assert all(sum(entry["probabilities"]) == pytest.approx(1) for entry in answered)
        with workshop.database.read() as session:
            rows = session.query(TeacherAnswerRow).all()
        assert {row.model for row in rows} == {f"{MODEL}-0001"}
        assert all(row.rung and row.job_id == job.row.id for row in rows)
        assert all(row.label_mass for row in rows if row.label is not None)

    def test_pays_by_the_token_and_stops_at_its_cap(self, workshop: Workshop, chat: str) -> None:
        prices = {"input_usd_per_million": 1.0, "output_usd_per_million": 1.0}
        cap = 30_000
        job = claim(workshop, chat, teacher={"prices": prices}, cap_micros=cap)
        output = label(job, {})
        row = workshop.row(job.row.id)
        assert output["cut_short"] == "budget"
        assert 0 < output["counts"]["asked"] < 40
        assert cap / 2 < row.spent_micros <= cap
        assert row.held_micros == row.held_calls == 0
        with workshop.database.read() as session:
            told = EventRepository(session).latest(job.row.id, EventType.TEACHER_PROGRESS)
        assert told is not None
        assert told.data["cost_usd"] == row.spent_micros / 1_000_000

    def test_asks_nothing_twice(self, workshop: Workshop, chat: str) -> None:
        first = label(claim(workshop, chat), {})
        again = label(claim(workshop, chat), {})
        assert (first["counts"]["cached"], again["counts"]["cached"]) == (0, 40)

    def test_that_names_a_way_the_server_lacks_fails(self, workshop: Workshop) -> None:
        with running(make_app(make_model(CODES), Offers(logprobs=False, choice=True))) as url:
            job = claim(workshop, url, teacher={"confidence": "logprobs"})
            with pytest.raises(RungUnavailable):
                label(job, {})

    def test_may_not_reach_a_server_that_is_listed_no_longer(
        self, workshop: Workshop, chat: str
    ) -> None:
        job = claim(workshop, chat, hosts="api.openai.com")
        with pytest.raises(TeacherNotAllowed):
            label(job, {})

    def test_is_an_ensemble_of_a_server_and_answers_made_elsewhere(
        self, workshop: Workshop, chat: str
    ) -> None:
        teacher = {"kind": "ensemble", "teachers": [teacher_at(chat), {"kind": "provided"}]}
        dataset = add_dataset(workshop.database, workshop.data_dir, make_rows(30, gold=0))
        add_distillation(workshop.database, dataset, spec=make_spec(teacher=teacher))
        job = workshop.claim(teacher_hosts=(chat.removesuffix("/v1"),))
        output = label(job, {})
        assert output["counts"]["answered"] == 30
        assert output["confidence_source"] == "votes"
        assert workshop.row(job.row.id).spent_calls == 60


class TestTransformersServe:
    """A server that ignores `logprobs`, with status 200; replayed with a tiny real model.

    The real one, of transformers 5.23 with a random Llama, was asked once by the same jobs. It
    answered 200 without log-probabilities to `logprobs`, one choice to `n`, unconstrained text to
    `response_format`, and 422 to `structured_outputs` and `logprob_token_ids`; `/tokenize` was a
    404. It samples only where the model's own generation settings say so, whatever temperature is
    asked for. A job of 20 texts got its votes by 100 single requests, and one that named `logprobs`
    ended with `RungUnavailable`, as here.
    """

    def test_counts_votes_and_says_so_where_any_confidence_will_do(
        self, workshop: Workshop, serve: str
    ) -> None:
        job = claim(workshop, serve, rows=20)
        output = label(job, {})
        assert output["confidence_source"] == "votes"
        assert output["counts"]["answered"] > 10
        told = [each.detail for each in workshop.told if isinstance(each, Advanced)]
        [probed] = told[-1][PROBED].values()
        assert probed["rung"] == {"name": "votes", "answers": 5, "at_once": False}
        assert probed["steps"][0]["why_not"] == "the reply has no log-probabilities"
        assert probed["steps"][2] == {
            "rung": "choice",
            "why_not": "the server refuses the request",
        }

    def test_fails_a_job_that_asked_for_probabilities(self, workshop: Workshop, serve: str) -> None:
        job = claim(workshop, serve, rows=20, teacher={"confidence": "logprobs"})
        with pytest.raises(RungUnavailable, match="no log-probabilities"):
            label(job, {})


class TestAFaultyServer:
    def faulty(self, answer: Any) -> FastAPI:
        app = FastAPI()

        @app.post("/v1/chat/completions")
        def complete() -> Any:
            return answer

        return app

    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            (JSONResponse({"error": {"message": "no"}}, 401), "teacher-auth"),
            (JSONResponse({"error": {"code": "insufficient_quota"}}, 429), "teacher-quota"),
            (JSONResponse({}, 429, {"retry-after": "3600"}), "teacher-unavailable"),
            (PlainTextResponse("<html>no</html>"), "teacher-unavailable"),
        ],
    )
    def test_parks_the_job(self, workshop: Workshop, answer: Any, code: str) -> None:
        with running(self.faulty(answer)) as url:
            job = claim(workshop, url)
            with pytest.raises(Park) as parked:
                label(job, {})
        assert parked.value.code == code

    def test_that_sends_elsewhere_is_not_followed(self, workshop: Workshop) -> None:
        with running(self.faulty(RedirectResponse("http://169.254.169.254/"))) as url:
            job = claim(workshop, url)
            with pytest.raises(Park):
                label(job, {})
