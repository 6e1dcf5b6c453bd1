"""GET /jobs/compare: what differs between jobs, side by side."""

import pytest
from fastapi.testclient import TestClient

from core.artifacts import ArtifactStore
from core.db.session import Database
from core.ids import DatasetId, JobId
from core.lifecycle import Stage
from tests.app.jobs.parts import (
    TRAIN_OUTPUT,
    Json,
    answered,
    evaluate_output,
    finish_stages,
    job_body,
    label_output,
)
from tests.factories import make_job

STRANGER = "job_01JZ8Q1V7F2D9S3X6A4E8B0YCW"


@pytest.fixture
def pair(
    client: TestClient, dataset_id: DatasetId, database: Database, artifacts: ArtifactStore
) -> list[str]:
    """A job and its replay with another selection; both have ended."""
    outputs: dict[Stage, Json] = {
        Stage.LABEL: label_output(artifacts, [answered("tech", 0.9)] * 40),
        Stage.TRAIN: TRAIN_OUTPUT,
        Stage.EVALUATE: evaluate_output(with_gold=True),
    }
    first = client.post("/jobs", json=job_body(dataset_id)).json()["id"]
    finish_stages(database, JobId(first), outputs)
    body = {"from_job": first, "selection": {"kind": "all"}}
    second = client.post("/jobs", json=body).json()["id"]
    finish_stages(database, JobId(second), outputs)
    return [first, second]


def test_two_jobs_stand_side_by_side_with_their_curves(client: TestClient, pair: list[str]) -> None:
    found = client.get("/jobs/compare", params={"ids": ",".join(reversed(pair))}).json()
    assert found["object"] == "comparison"
    assert found["same_answers"] is True
    assert [each["job_id"] for each in found["data"]] == pair[::-1]
    replay, first = found["data"]
    assert (replay["selection"], replay["from_job"]) == ({"kind": "all"}, pair[0])
    assert (first["selection"]["kind"], first["from_job"]) == ("llkd", None)
    assert first["metrics"]["macro_f1"] == 0.8
    assert first["trained"]["steps"] == 4
    assert first["trained"]["averaged"] is True
    assert first["trained"]["curve"] == [
        {"step": 2, "held_out_score": 0.5},
        {"step": 4, "held_out_score": 0.75},
    ]


def test_what_is_not_there_yet_is_null(client: TestClient, dataset_id: DatasetId) -> None:
    ids = [client.post("/jobs", json=job_body(dataset_id)).json()["id"] for _ in range(2)]
    found = client.get("/jobs/compare", params={"ids": ", ".join(ids)}).json()
    assert found["same_answers"] is False
    assert [(each["trained"], each["metrics"]) for each in found["data"]] == [(None, {})] * 2


@pytest.mark.parametrize("ids", ["", ",", STRANGER, f"{STRANGER},{STRANGER}"])
def test_one_job_alone_compares_with_nothing(client: TestClient, ids: str) -> None:
    refused = client.get("/jobs/compare", params={"ids": ids})
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"


def test_too_many_are_refused(client: TestClient) -> None:
    ids = ",".join(str(number) for number in range(21))
    refused = client.get("/jobs/compare", params={"ids": ids})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "query:ids"
    assert client.get("/jobs/compare").status_code == 422


def test_another_tenants_job_is_not_found(
    client: TestClient, pair: list[str], database: Database
) -> None:
    with database.write() as session:
        theirs = make_job(session, tenant_id="other").id
    refused = client.get("/jobs/compare", params={"ids": f"{pair[0]},{theirs}"})
    assert refused.status_code == 404
