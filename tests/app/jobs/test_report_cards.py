"""POST /teachers/{id}/report-card, and GET /teachers/report-cards."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from core.artifacts import ArtifactStore
from core.db.base import db_now
from core.db.session import Database
from core.db.tables import JobRow
from core.ids import DatasetId, JobId, TenantId
from core.lifecycle import JobState, Purpose, Stage
from tests.app.jobs.parts import Json, add_job, finish_stages, job_body, store_dataset
from tests.factories import make_teacher

PRICES = {"input_usd_per_million": 0.15, "output_usd_per_million": 0.6}
SHARE = {"value": 0.8, "low": 0.7, "high": 0.9}
SCORES = {"precision": 0.8, "recall": 0.8, "f1": 0.8}
COUNTS = {"support": 50, "predicted": 50, "unanswered": 0}
OUTPUT: Json = {
    "texts": 100,
    "answers": {
        "asked": 100,
        "cached": 0,
        "answered": 98,
        "refused": 2,
        "malformed": 0,
        "too_long": 0,
        "failed": 0,
        "missing": 0,
    },
    "models": ["gpt-4o-mini-2024-07-18"],
    "rungs": ["top_logprobs"],
    "confidence_source": "truncated_logprob",
    "gold": {
        "rows": 100,
        "unanswered": 2,
        "accuracy": SHARE,
        "macro_f1": SHARE,
        "per_class": [{"label": label, **SCORES, **COUNTS} for label in ("billing", "tech")],
        "confusion": [[40, 9], [9, 40]],
        "calibration": {"ece": 0.07},
        "teacher_agreement": None,
    },
    "consistency": {"rows": 98, "same": SHARE, "confusion": [[49, 0], [0, 49]], "ece": None},
    "cost": {"calls": 200, "usd": 0.01, "usd_per_row": 0.00005, "rows_per_second": 12.5},
    "cut_short": None,
    "effort": {"units": 200, "seconds": 16.0},
}


def add_teacher(database: Database, **given: Any) -> str:
    values = {"settings": {"prices": PRICES}} | given
    with database.write() as session:
        return make_teacher(session, **values).id


def card_body(dataset_id: DatasetId, /, **changes: Any) -> Json:
    body = job_body(dataset_id)
    return {
        "dataset_id": dataset_id,
        "labels": body["labels"],
        "budget": {"max_usd": 1.0},
    } | changes


def row_of(database: Database, job_id: str) -> JobRow:
    with database.read() as session:
        row = session.get(JobRow, job_id)
    assert row is not None
    return row


class TestCreate:
    def test_a_job_of_its_own_is_queued(
        self, client: TestClient, database: Database, dataset_id: DatasetId
    ) -> None:
        teacher = add_teacher(database)
        answer = client.post(f"/teachers/{teacher}/report-card", json=card_body(dataset_id))
        assert answer.status_code == 202, answer.text
        card = answer.json()
        assert answer.headers["location"] == f"/teachers/report-cards?ids={card['job_id']}"
        assert (card["state"], card["card"], card["teacher_id"]) == ("queued", None, teacher)
        row = row_of(database, card["job_id"])
        assert (row.purpose, row.cap_calls, row.cap_micros) == ("report_card", 200, 1_000_000)
        assert row.spec["teacher"]["base_url"] == "https://api.openai.com/v1"
        assert client.get(f"/jobs/{card['job_id']}").json()["purpose"] == "report_card"

    def test_fewer_calls_make_fewer_texts(
        self, client: TestClient, database: Database, dataset_id: DatasetId
    ) -> None:
        path = f"/teachers/{add_teacher(database)}/report-card"
        body = card_body(dataset_id, rows=200, budget={"max_teacher_calls": 120})
        assert row_of(database, client.post(path, json=body).json()["job_id"]).cap_calls == 120
        body["budget"]["max_teacher_calls"] = 99
        answer = client.post(path, json=body)
        assert answer.status_code == 422
        [error] = answer.json()["errors"]
        assert (error["pointer"], error["code"]) == ("/budget/max_teacher_calls", "too-few-calls")

    def test_a_teacher_that_costs_needs_a_budget(
        self, client: TestClient, database: Database, dataset_id: DatasetId
    ) -> None:
        path = f"/teachers/{add_teacher(database)}/report-card"
        answer = client.post(path, json=card_body(dataset_id, budget={}))
        assert (answer.status_code, answer.json()["code"]) == (422, "budget-required")
        unpriced = f"/teachers/{add_teacher(database, settings={})}/report-card"
        answer = client.post(unpriced, json=card_body(dataset_id))
        assert (answer.status_code, answer.json()["code"]) == (422, "price-unknown")

    def test_the_same_key_makes_one(
        self, client: TestClient, database: Database, dataset_id: DatasetId
    ) -> None:
        path, key = f"/teachers/{add_teacher(database)}/report-card", {"Idempotency-Key": "k"}
        first = client.post(path, json=card_body(dataset_id), headers=key)
        again = client.post(path, json=card_body(dataset_id), headers=key)
        assert first.json()["job_id"] == again.json()["job_id"]
        assert again.headers["idempotent-replayed"] == "true"
        other = client.post(path, json=card_body(dataset_id, rows=60), headers=key)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency-mismatch")
        elsewhere = f"/teachers/{add_teacher(database)}/report-card"
        answer = client.post(elsewhere, json=card_body(dataset_id), headers=key)
        assert answer.json()["code"] == "idempotency-mismatch"

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"rows": 49}, "/rows"),
            ({"rows": 201}, "/rows"),
            ({"labels": [{"name": "a"}]}, "/labels"),
            ({"labels": [{"name": "a"}, {"name": "A"}]}, "/labels"),
            ({"teacher": {"kind": "few_shot"}}, "/teacher"),
            ({"dataset_id": "ds_01JZ8PW3N6C4Q0G7H2K5M9R1TB"}, "/dataset_id"),
        ],
    )
    def test_a_bad_body_is_refused_at_its_place(
        self,
        client: TestClient,
        database: Database,
        dataset_id: DatasetId,
        changes: Json,
        pointer: str,
    ) -> None:
        path = f"/teachers/{add_teacher(database)}/report-card"
        answer = client.post(path, json=card_body(dataset_id, **changes))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer

    def test_no_other_tenants_teacher_nor_a_deleted_one(
        self, client: TestClient, database: Database, dataset_id: DatasetId
    ) -> None:
        foreign = add_teacher(database, tenant_id=TenantId("other"))
        for teacher in (foreign, "teacher_01JZ8Q6S0W4R8T2M5N7P9K3XVB", "x"):
            answer = client.post(f"/teachers/{teacher}/report-card", json=card_body(dataset_id))
            assert answer.status_code == 404
        deleted = add_teacher(database, deleted_at=db_now())
        answer = client.post(f"/teachers/{deleted}/report-card", json=card_body(dataset_id))
        assert answer.status_code == 410


class TestSideBySide:
    def queue(self, client: TestClient, database: Database, body: Json) -> str:
        answer = client.post(f"/teachers/{add_teacher(database)}/report-card", json=body)
        job_id: str = answer.json()["job_id"]
        return job_id

    def test_cards_come_in_the_order_of_the_request(
        self, client: TestClient, database: Database, dataset_id: DatasetId
    ) -> None:
        one, two = (self.queue(client, database, card_body(dataset_id)) for _ in range(2))
        finish_stages(database, JobId(one), {Stage.REPORT_CARD: OUTPUT})
        told = client.get("/teachers/report-cards", params={"ids": f"{two},{one}"}).json()
        assert told["same_texts"]
        assert [each["job_id"] for each in told["data"]] == [two, one]
        queued, finished = told["data"]
        assert queued["card"] is None
        assert finished["state"] == JobState.SUCCEEDED
        card = finished["card"]
        assert (card["gold"]["accuracy"], card["gold"]["ece"]) == (SHARE, 0.07)
        assert [each["label"] for each in card["gold"]["per_label"]] == ["billing", "tech"]
        assert (card["consistency"]["same"], card["usd"]) == (SHARE, 0.01)
        assert card["answers"]["refused"] == 2

    def test_other_texts_are_told(
        self,
        client: TestClient,
        database: Database,
        artifacts: ArtifactStore,
        dataset_id: DatasetId,
    ) -> None:
        other = store_dataset(database, artifacts)
        ids = [self.queue(client, database, card_body(each)) for each in (dataset_id, other)]
        told = client.get("/teachers/report-cards", params={"ids": ",".join(ids)}).json()
        assert not told["same_texts"]

    def test_a_job_that_is_none_is_not_found(self, client: TestClient, database: Database) -> None:
        for job_id in (add_job(database), add_job(database, tenant_id=TenantId("other")), "x"):
            answer = client.get("/teachers/report-cards", params={"ids": job_id})
            assert answer.status_code == 404
        foreign = add_job(database, tenant_id=TenantId("other"), purpose=Purpose.REPORT_CARD.value)
        assert client.get("/teachers/report-cards", params={"ids": foreign}).status_code == 404

    @pytest.mark.parametrize("ids", ["", ",", ",".join(f"job_{n}" for n in range(21))])
    def test_none_and_too_many_are_refused(self, client: TestClient, ids: str) -> None:
        assert client.get("/teachers/report-cards", params={"ids": ids}).status_code == 422
