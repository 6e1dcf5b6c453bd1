"""GET /jobs/compare: what differs between jobs, side by side."""

import numpy as np
import pytest
from fastapi.testclient import TestClient

from core.artifacts import ArtifactStore
from core.db.session import Database
from core.ids import DatasetId, JobId
from core.lifecycle import Stage
from core.measured_files import Measured, write_measured
from tests.app.jobs.parts import (
    TRAIN_OUTPUT,
    Json,
    add_job,
    answered,
    evaluate_output,
    finish_stages,
    job_body,
    label_output,
    store_dataset,
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


def test_each_students_scores_have_their_intervals(client: TestClient, pair: list[str]) -> None:
    found = client.get("/jobs/compare", params={"ids": ",".join(pair)}).json()
    for each in found["data"]:
        assert each["macro_f1"] == each["accuracy"] == {"value": 0.8, "low": 0.7, "high": 0.9}
        # Of a release that kept no answers, and no efforts.
        assert (each["difference"], each["data_efficiency"]) == (None, None)


def test_the_jobs_that_go_from_one_are_found(client: TestClient, pair: list[str]) -> None:
    found = client.get("/jobs", params={"from_job": pair[0]}).json()
    assert [each["id"] for each in found["data"]] == [pair[1]]
    assert client.get("/jobs", params={"from_job": pair[1]}).json()["data"] == []
    assert client.get("/jobs", params={"from_job": "x"}).status_code == 422


class TestDifference:
    """What one student does better than the first, on the same texts."""

    def finished(
        self,
        database: Database,
        artifacts: ArtifactStore,
        dataset: DatasetId,
        *,
        student: list[int],
        index: list[int] | None = None,
        source: str = "gold",
    ) -> str:
        """A job whose student said this of forty texts, which are all of the first label."""
        job_id = add_job(database, dataset_id=dataset)
        path = artifacts.scratch_path(".parquet")
        write_measured(
            path,
            Measured(
                index=np.array(range(40) if index is None else index),
                gold=np.zeros(40, dtype=np.int64),
                teacher=np.zeros(40, dtype=np.int64),
                confidence=np.full(40, 0.9),
                student=np.array(student),
                score=np.full(40, 0.9),
            ),
        )
        evaluated = evaluate_output(with_gold=True) | {
            "measured": artifacts.put(path),
            "disagreements": {"source": source, "rows": 40, "total": sum(student)},
        }
        outputs: dict[Stage, Json] = {
            Stage.LABEL: label_output(artifacts, [answered("tech", 0.9)] * 40),
            Stage.TRAIN: TRAIN_OUTPUT | {"efforts": [[16, 15], [32, 25]]},
            Stage.EVALUATE: evaluated,
        }
        finish_stages(database, job_id, outputs)
        return job_id

    def test_it_is_paired_over_the_same_texts(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        dataset = store_dataset(database, artifacts)
        worse = self.finished(database, artifacts, dataset, student=[1] * 20 + [0] * 20)
        better = self.finished(database, artifacts, dataset, student=[1] * 8 + [0] * 32)
        found = client.get("/jobs/compare", params={"ids": f"{worse},{better}"}).json()
        first, second = found["data"]
        assert first["difference"] is None
        told = second["difference"]
        assert told["rows"] == 40
        assert told["accuracy"]["value"] == pytest.approx(0.3)
        assert 0 < told["accuracy"]["low"] < 0.3 < told["accuracy"]["high"] < 0.5
        assert told["macro_f1"]["value"] > 0
        assert [each["gradient_samples"] for each in second["data_efficiency"]] == [16, 32]

    def test_other_texts_are_not_compared(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        dataset, other = (store_dataset(database, artifacts) for _ in range(2))
        said = [1] * 20 + [0] * 20
        first = self.finished(database, artifacts, dataset, student=said)
        others = [
            self.finished(database, artifacts, other, student=said),
            self.finished(database, artifacts, dataset, student=said, index=[*range(1, 41)]),
            self.finished(database, artifacts, dataset, student=said, source="held_out"),
        ]
        ids = ",".join([first, *others])
        found = client.get("/jobs/compare", params={"ids": ids}).json()
        assert [each["difference"] for each in found["data"]] == [None] * 4


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
