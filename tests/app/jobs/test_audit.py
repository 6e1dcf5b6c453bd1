"""GET /jobs/{id}/audit."""

import json

import pytest
from fastapi.testclient import TestClient

from core.artifacts import ArtifactStore
from core.db.base import db_now
from core.db.session import Database
from core.ids import JobId
from core.lifecycle import Stage
from tests.app.jobs.parts import (
    TRAIN_OUTPUT,
    Json,
    add_job,
    answered,
    evaluate_output,
    finish_stages,
    label_output,
    store_dataset,
)

TEXTS = [f"text {place}" for place in range(9000)]
TEXTS[4] = "text 4" + "é" * 3000
EVIDENCE: Json = {
    "teacher_confidence": 0.6,
    "estimated_confidence": None,
    "student_label": "tech",
    "student_likelihood": 0.2,
    "student_spread": 0.1,
    "readings": 3,
    "agreed": 0,
}


def stored_audit() -> Json:
    doubts = [
        {"index": index, "label": "billing", "suggested": "tech", "suspicion": 0.9, **EVIDENCE}
        for index in (8999, 4, 4097)
    ]
    pair = {
        "first": {"index": 5000, "label": "billing"},
        "second": {"index": 1, "label": "tech"},
        "similarity": 0.93,
    }
    lost = {"index": 4, "label": "billing", "certainty": 0.1, **EVIDENCE}
    return {
        "texts": 9000,
        "read": 8500,
        "totals": {
            "likely_wrong": 1200,
            "contradictions": 1,
            "overlapping_labels": 1,
            "unfitting": 1,
        },
        "lists": {
            "likely_wrong": doubts,
            "contradictions": [pair],
            "overlapping_labels": [{"labels": ["billing", "tech"], "texts": 31, "share": 0.08}],
            "unfitting": [lost],
        },
    }


@pytest.fixture
def audited(database: Database, artifacts: ArtifactStore) -> JobId:
    dataset = store_dataset(database, artifacts, texts=TEXTS)
    job_id = add_job(database, dataset_id=dataset)
    evaluated = evaluate_output(with_gold=False)
    evaluated["audit"] = artifacts.put_bytes(json.dumps(stored_audit()).encode())
    entries = [answered("billing", 0.9)] * len(TEXTS)
    outputs = {
        Stage.LABEL: label_output(artifacts, entries),
        Stage.TRAIN: TRAIN_OUTPUT,
        Stage.EVALUATE: evaluated,
    }
    finish_stages(database, job_id, outputs)
    return job_id


def test_every_entry_has_its_text_a_long_one_its_beginning(
    client: TestClient, audited: JobId
) -> None:
    audit = client.get(f"/jobs/{audited}/audit").json()
    assert (audit["texts"], audit["read"], audit["totals"]["likely_wrong"]) == (9000, 8500, 1200)
    wrong = [(entry["index"], entry["text"]) for entry in audit["likely_wrong"]]
    assert wrong == [(8999, "text 8999"), (4, TEXTS[4][:2000]), (4097, "text 4097")]
    (pair,) = audit["contradictions"]
    assert (pair["first"]["text"], pair["second"]["text"]) == ("text 5000", "text 1")
    assert audit["unfitting"][0]["text"] == TEXTS[4][:2000]
    assert audit["overlapping_labels"][0]["labels"] == ["billing", "tech"]


def test_each_list_is_cut_and_the_totals_stay(client: TestClient, audited: JobId) -> None:
    audit = client.get(f"/jobs/{audited}/audit", params={"limit": 1}).json()
    assert [entry["index"] for entry in audit["likely_wrong"]] == [8999]
    assert audit["totals"]["likely_wrong"] == 1200


def test_it_is_not_there_before_the_evaluate_stage_is_done(
    client: TestClient, database: Database
) -> None:
    answer = client.get(f"/jobs/{add_job(database)}/audit")
    assert (answer.status_code, answer.json()["code"]) == (409, "audit-not-ready")


def test_it_goes_with_its_dataset(
    client: TestClient, database: Database, artifacts: ArtifactStore
) -> None:
    dataset = store_dataset(database, artifacts, deleted_at=db_now())
    job_id = add_job(database, dataset_id=dataset)
    outputs = {
        Stage.LABEL: label_output(artifacts, []),
        Stage.TRAIN: TRAIN_OUTPUT,
        Stage.EVALUATE: evaluate_output(with_gold=False),
    }
    finish_stages(database, job_id, outputs)
    answer = client.get(f"/jobs/{job_id}/audit")
    assert (answer.status_code, answer.json()["code"]) == (410, "gone")


@pytest.mark.parametrize("limit", ["0", "1001", "x"])
def test_a_limit_that_is_none_is_refused(client: TestClient, audited: JobId, limit: str) -> None:
    assert client.get(f"/jobs/{audited}/audit", params={"limit": limit}).status_code == 422


def test_an_unknown_job_is_not_found(client: TestClient) -> None:
    answer = client.get("/jobs/job_01JZ8Q1V7F2D9S3X6A4E8B0YCW/audit")
    assert answer.status_code == 404
