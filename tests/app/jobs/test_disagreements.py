"""GET /jobs/{id}/disagreements."""

import numpy as np
import pytest
from fastapi.testclient import TestClient

from core.artifacts import ArtifactStore
from core.db.base import db_now
from core.db.session import Database
from core.ids import DatasetId, JobId
from core.lifecycle import Stage
from core.measured_files import Measured, write_measured
from tests.app.jobs.parts import (
    TRAIN_OUTPUT,
    Json,
    add_job,
    evaluate_output,
    finish_stages,
    label_output,
    store_dataset,
)

NAN = float("nan")
MEASURED = Measured(
    index=np.array([0, 7, 11, 30]),
    gold=np.array([0, 1, -1, 0]),
    teacher=np.array([0, 0, 1, 1]),
    confidence=np.array([0.9, 0.8, NAN, 0.95]),
    student=np.array([0, 1, 0, 0]),
    score=np.array([0.9, 0.9, 0.6, 0.99]),
)


@pytest.fixture
def compared(database: Database, artifacts: ArtifactStore) -> JobId:
    return compared_job(database, artifacts, source="gold")


def compared_job(
    database: Database,
    artifacts: ArtifactStore,
    *,
    source: str,
    evaluation: DatasetId | None = None,
    dataset: DatasetId | None = None,
) -> JobId:
    job_id = add_job(
        database,
        dataset_id=dataset or store_dataset(database, artifacts),
        evaluation_dataset_id=evaluation,
    )
    path = artifacts.scratch_path(".parquet")
    write_measured(path, MEASURED)
    evaluated = evaluate_output(with_gold=True) | {
        "measured": artifacts.put(path),
        "disagreements": {"source": source, "rows": 4, "total": 3},
    }
    outputs: dict[Stage, Json] = {
        Stage.LABEL: label_output(artifacts, []),
        Stage.TRAIN: TRAIN_OUTPUT,
        Stage.EVALUATE: evaluated,
    }
    finish_stages(database, job_id, outputs)
    return job_id


def test_they_are_told_with_their_texts_the_surest_first(
    client: TestClient, compared: JobId
) -> None:
    page = client.get(f"/jobs/{compared}/disagreements").json()
    assert [each["index"] for each in page["data"]] == [30, 7, 11]
    assert page["data"][0] == {
        "id": "0",
        "index": 30,
        "text": "text number 30",
        "teacher_label": "tech",
        "teacher_confidence": 0.95,
        "student_label": "billing",
        "student_score": 0.99,
        "gold": "billing",
    }
    last = page["data"][2]
    assert (last["teacher_confidence"], last["gold"]) == (None, None)
    assert not page["has_more"]


def test_pages_go_on_where_the_last_one_ended(client: TestClient, compared: JobId) -> None:
    url = f"/jobs/{compared}/disagreements"
    first = client.get(url, params={"limit": 2}).json()
    assert first["has_more"]
    second = client.get(url, params={"limit": 2, "after": first["last_id"]}).json()
    assert [each["index"] for each in second["data"]] == [11]
    assert not second["has_more"]
    beyond = client.get(url, params={"after": "2"}).json()
    assert (beyond["data"], beyond["first_id"], beyond["has_more"]) == ([], None, False)


@pytest.mark.parametrize("cursor", ["x", "-1", "9" * 30, "٣"])
def test_a_forged_cursor_is_refused(client: TestClient, compared: JobId, cursor: str) -> None:
    answer = client.get(f"/jobs/{compared}/disagreements", params={"after": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")


class TestWhereTheTextsStand:
    """Rows that measure may be of another dataset; all others are of the job's own."""

    @pytest.mark.parametrize(
        ("source", "text"),
        [("gold", "other 30"), ("certification", "text number 30"), ("held_out", "text number 30")],
    )
    def test_they_are_read_from_their_own_dataset(
        self,
        client: TestClient,
        database: Database,
        artifacts: ArtifactStore,
        source: str,
        text: str,
    ) -> None:
        own = store_dataset(database, artifacts)
        other = store_dataset(database, artifacts, texts=[f"other {place}" for place in range(40)])
        job_id = compared_job(database, artifacts, source=source, dataset=own, evaluation=other)
        page = client.get(f"/jobs/{job_id}/disagreements").json()
        assert page["data"][0]["text"] == text
        told = client.get(f"/jobs/{job_id}/report").json()["disagreements"]
        expected = other if source == "gold" else own
        assert told == {"source": source, "dataset_id": expected, "rows": 4, "total": 3}

    def test_they_go_with_it(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        gone = store_dataset(database, artifacts, deleted_at=db_now())
        job_id = compared_job(database, artifacts, source="gold", evaluation=gone)
        answer = client.get(f"/jobs/{job_id}/disagreements")
        assert (answer.status_code, answer.json()["code"]) == (410, "gone")
        # The figures of the report are no texts, and stay.
        assert client.get(f"/jobs/{job_id}/report").status_code == 200


def test_a_job_of_an_earlier_release_has_none(
    client: TestClient, database: Database, artifacts: ArtifactStore
) -> None:
    job_id = add_job(database, dataset_id=store_dataset(database, artifacts))
    outputs: dict[Stage, Json] = {
        Stage.LABEL: label_output(artifacts, []),
        Stage.TRAIN: TRAIN_OUTPUT,
        Stage.EVALUATE: evaluate_output(with_gold=True),
    }
    finish_stages(database, job_id, outputs)
    page = client.get(f"/jobs/{job_id}/disagreements").json()
    assert (page["data"], page["has_more"]) == ([], False)


def test_they_are_not_there_before_the_evaluate_stage_is_done(
    client: TestClient, database: Database
) -> None:
    answer = client.get(f"/jobs/{add_job(database)}/disagreements")
    assert (answer.status_code, answer.json()["code"]) == (409, "report-not-ready")
