"""POST /jobs/estimate."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from core.artifacts import ArtifactStore
from core.db.session import Database
from core.db.tables import JobRow
from core.ids import DatasetId
from core.lifecycle import JobState
from llkd.content_free import CONTENT_FREE_TEXTS
from tests.app.jobs.parts import TEXTS, add_job, job_body, store_dataset

COMMIT = {"revision": "0" * 40}


class TestEstimate:
    def test_nothing_is_bought_and_nothing_is_queued(
        self, client: TestClient, dataset_id: DatasetId, database: Database
    ) -> None:
        estimate = _estimate(client, job_body(dataset_id))
        free = {"low": 0.0, "expected": 0.0, "high": 0.0}
        assert (estimate["object"], estimate["cost_usd"]) == ("estimate", free)
        with database.read() as session:
            assert session.scalar(select(func.count()).select_from(JobRow)) == 0

    def test_the_teacher_is_asked_once_a_text_of_either_dataset(
        self,
        client: TestClient,
        dataset_id: DatasetId,
        database: Database,
        artifacts: ArtifactStore,
    ) -> None:
        gold = store_dataset(database, artifacts, gold=["tech"] * 10 + [None] * 30)
        body = job_body(dataset_id, evaluation={"dataset_id": gold})
        estimate = _estimate(client, body)
        assert (estimate["rows"], estimate["evaluation_rows"]) == (40, 10)
        assert estimate["teacher_calls"] == {"low": 0, "expected": 50, "high": 50}

    def test_a_language_model_may_be_asked_about_nothing_too(
        self, client: TestClient, dataset_id: DatasetId
    ) -> None:
        prices = {"input_usd_per_million": 1.0, "output_usd_per_million": 1.0}
        teacher = {
            "kind": "openai",
            "base_url": "https://api.openai.com/v1",
            "model": "m",
            "prices": prices,
        }
        body = job_body(dataset_id, teacher=teacher, budget={"max_usd": 1.0})
        assert _estimate(client, body)["teacher_calls"]["high"] == 40 + len(CONTENT_FREE_TEXTS)
        body["calibration"] = "none"
        assert _estimate(client, body)["teacher_calls"]["high"] == 40

    def test_rows_that_certify_are_asked_about_and_not_learned_from(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        dataset_id = store_dataset(database, artifacts, texts=[f"text {n}" for n in range(300)])
        estimate = _estimate(client, job_body(dataset_id, certification={"rows": 100}))
        assert estimate["rows"] == 200
        assert estimate["teacher_calls"]["high"] == 300

    def test_a_cap_on_calls_caps_them(self, client: TestClient, dataset_id: DatasetId) -> None:
        body = job_body(dataset_id, budget={"max_teacher_calls": 7})
        assert _estimate(client, body)["teacher_calls"] == {"low": 0, "expected": 7, "high": 7}

    def test_tokens_grow_with_the_texts(
        self,
        client: TestClient,
        dataset_id: DatasetId,
        database: Database,
        artifacts: ArtifactStore,
    ) -> None:
        long = store_dataset(database, artifacts, texts=[text * 100 for text in TEXTS])
        few = _estimate(client, job_body(dataset_id))["tokens"]
        many = _estimate(client, job_body(long))["tokens"]
        size = sum(map(len, TEXTS))
        assert size / 6 <= few["expected"] <= size
        assert 30 * few["expected"] < many["expected"] <= many["high"]

    def test_given_answers_are_not_read_by_a_teacher(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        given = store_dataset(database, artifacts, provided=["tech"] * 40)
        estimate = _estimate(client, job_body(given, teacher={"kind": "provided"}))
        assert estimate["tokens"] == {"low": 0, "expected": 0, "high": 0}

    def test_a_local_language_model_reads_its_prompt_and_costs_nothing(
        self, client: TestClient, dataset_id: DatasetId
    ) -> None:
        writer = {"kind": "huggingface", "model": "owner/name", "revision": "0" * 40}
        examples = [f"{number}" + "word" * 500 for number in range(5)]
        labels = [{"name": "billing", "examples": examples}, {"name": "tech"}]
        body = job_body(dataset_id, labels=labels, teacher=writer)
        told = _estimate(client, body)
        fewer = _estimate(client, body | {"teacher": writer | {"examples_per_label": 0}})
        # 40 texts, and the four that say nothing. Four examples of 2,001 bytes before each of
        # them, at four bytes a token, and a few words around each.
        assert told["teacher_calls"]["expected"] == 44
        more = told["tokens"]["expected"] - fewer["tokens"]["expected"]
        assert more == pytest.approx(44 * 4 * 2001 / 4, rel=0.05)
        assert told["cost_usd"] == {"low": 0.0, "expected": 0.0, "high": 0.0}

    def test_steps_follow_the_selection(self, client: TestClient, dataset_id: DatasetId) -> None:
        training: dict[str, Any] = {"epochs": 4, "batch_size": 10, "early_stopping": False}

        def steps(**selection: Any) -> dict[str, int]:
            body = job_body(dataset_id, training=training, selection=selection)
            found: dict[str, int] = _estimate(client, body)["steps"]
            return found

        assert steps(kind="all") == {"low": 16, "expected": 16, "high": 16}
        assert steps(kind="random", share=0.5) == {"low": 8, "expected": 8, "high": 16}
        assert steps(kind="class_confidence", share=0.25)["expected"] == 4
        assert steps(kind="freematch")["expected"] == 14
        assert steps(kind="llkd") == {"low": 5, "expected": 5, "high": 16}
        training["max_steps"] = 6
        assert steps(kind="llkd") == {"low": 5, "expected": 5, "high": 6}
        assert steps(kind="all") == {"low": 6, "expected": 6, "high": 6}

    def test_steps_are_those_of_all_students(
        self, client: TestClient, dataset_id: DatasetId
    ) -> None:
        training = {"epochs": 4, "batch_size": 10, "early_stopping": False}
        one = job_body(dataset_id, training=training, selection={"kind": "all"})
        choice = {"candidates": [{"kind": "static"}, {}, {"trainable": "all"}]}
        assert _estimate(client, one | {"student": choice})["steps"]["expected"] == 48

    def test_time_is_told_once_a_job_alike_has_finished(
        self, client: TestClient, dataset_id: DatasetId, database: Database
    ) -> None:
        assert _estimate(client, job_body(dataset_id))["seconds"] is None
        start = datetime(2026, 7, 1, tzinfo=UTC)
        for seconds in (100, 300):
            add_job(
                database,
                state=JobState.SUCCEEDED,
                started_at=start,
                finished_at=start + timedelta(seconds=seconds),
                progress_detail={"rows": 400},
            )
        told = _estimate(client, job_body(dataset_id))["seconds"]
        assert (told["low"], told["high"]) == (10, 30)
        assert told["basis"] == "2 finished jobs of 400 to 400 texts"
        other = job_body(dataset_id, student={"model": "o/n", "revision": "0" * 40})
        assert _estimate(client, other)["seconds"] is None
        slower = job_body(dataset_id, teacher={"kind": "few_shot", "model": "o/n", **COMMIT})
        assert _estimate(client, slower)["seconds"] is None
        static = job_body(dataset_id, student={"kind": "static"})
        assert _estimate(client, static)["seconds"] is None


def _estimate(client: TestClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/jobs/estimate", json=body)
    assert answer.status_code == 200, answer.json()
    found: dict[str, Any] = answer.json()
    return found
