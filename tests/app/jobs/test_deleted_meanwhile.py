"""Files may go with their dataset between their being found and their being read."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import orjson
import pytest
from fastapi.testclient import TestClient

from app.datasets import service
from app.jobs import audit, disagreements, history
from core import dataset_files
from core.artifacts import ArtifactStore
from core.db.base import db_now
from core.db.repositories.histories import HistoryRepository
from core.db.session import Database
from core.db.tables import DatasetRow, SelectionFrameRow, TrainingPointRow
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
    label_output,
    store_dataset,
)
from tests.factories import TENANT, make_selection_frame, make_training_point

ONE = np.array([0])
EMPTY_AUDIT: Json = {
    "texts": 40,
    "read": 40,
    "totals": {"likely_wrong": 0, "contradictions": 0, "overlapping_labels": 0, "unfitting": 0},
    "lists": {
        "likely_wrong": [],
        "contradictions": [],
        "overlapping_labels": [],
        "unfitting": [],
    },
}


def finished_job(
    database: Database,
    artifacts: ArtifactStore,
    *,
    dataset: DatasetId,
    evaluation: DatasetId | None = None,
) -> JobId:
    """A job with labels, a map, an audit and a disagreement."""
    job_id = add_job(database, dataset_id=dataset, evaluation_dataset_id=evaluation)
    path = artifacts.scratch_path(".parquet")
    score = np.array([0.9])
    write_measured(path, Measured(ONE, ONE, ONE, score, 1 - ONE, score))
    evaluated = evaluate_output(with_gold=True) | {
        "audit": artifacts.put_bytes(orjson.dumps(EMPTY_AUDIT)),
        "measured": artifacts.put(path),
        "disagreements": {"source": "gold", "rows": 1, "total": 1},
    }
    outputs: dict[Stage, Json] = {
        Stage.LABEL: label_output(artifacts, [answered("tech", 0.9)] * 40),
        Stage.TRAIN: TRAIN_OUTPUT,
        Stage.EVALUATE: evaluated,
    }
    finish_stages(database, job_id, outputs)
    with database.write() as session:
        histories = HistoryRepository(session)
        histories.add(TrainingPointRow, [make_training_point(job_id=job_id)])
        histories.add(SelectionFrameRow, [make_selection_frame(job_id=job_id)])
    return job_id


def delete(database: Database, dataset: DatasetId) -> None:
    with database.write() as session:
        row = session.get(DatasetRow, dataset)
        assert row is not None
        row.deleted_at = db_now()


class TestDeletedMeanwhile:
    @pytest.fixture
    def deleting(
        self, database: Database, dataset_id: DatasetId, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[ModuleType, str], None]:
        """Has the dataset and its file go right before this function of this module reads it."""

        def arrange(module: ModuleType, reader: str) -> None:
            real = getattr(module, reader)

            def read(path: Path, *args: Any, **kwargs: Any) -> Any:
                delete(database, dataset_id)
                path.unlink(missing_ok=True)
                return real(path, *args, **kwargs)

            monkeypatch.setattr(module, reader, read)

        return arrange

    @pytest.mark.parametrize(
        ("path", "module", "reader"),
        [
            ("/jobs/{job}/audit", audit, "read_texts"),
            ("/jobs/{job}/disagreements", disagreements, "read_texts"),
            ("/jobs/{job}/labels", dataset_files, "read_page"),
            ("/datasets/{dataset}/rows", service, "read_page"),
            ("/datasets/{dataset}/issues", service, "read_page"),
        ],
    )
    def test_texts_are_gone_then(
        self,
        client: TestClient,
        database: Database,
        artifacts: ArtifactStore,
        dataset_id: DatasetId,
        deleting: Callable[[ModuleType, str], None],
        path: str,
        module: ModuleType,
        reader: str,
    ) -> None:
        job_id = finished_job(database, artifacts, dataset=dataset_id)
        deleting(module, reader)
        answer = client.get(path.format(job=job_id, dataset=dataset_id))
        assert (answer.status_code, answer.json()["code"]) == (410, "gone")

    def test_a_map_stays_without_its_texts(
        self,
        client: TestClient,
        database: Database,
        artifacts: ArtifactStore,
        dataset_id: DatasetId,
        deleting: Callable[[ModuleType, str], None],
    ) -> None:
        job_id = finished_job(database, artifacts, dataset=dataset_id)
        deleting(history, "read_texts")
        answer = client.get(f"/jobs/{job_id}/selection")
        assert answer.status_code == 200
        assert {point["text"] for point in answer.json()["frame"]["points"]} == {None}


class TestDeletedLongAgo:
    def test_disagreements_go_with_the_jobs_own_dataset_too(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        own, other = (store_dataset(database, artifacts) for _ in range(2))
        job_id = finished_job(database, artifacts, dataset=own, evaluation=other)
        delete(database, own)
        url = f"/jobs/{job_id}/disagreements"
        assert client.get(url).status_code == 200
        with database.read() as session:
            measured = disagreements.find_files(session, artifacts, TENANT, job_id).measured
        assert measured is not None
        measured.unlink()
        answer = client.get(url)
        assert (answer.status_code, answer.json()["code"]) == (410, "gone")
