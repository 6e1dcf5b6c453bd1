"""A dataset in, a file of predictions out, through real processes, one of which is killed."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.artifacts import ArtifactStore
from tests.acceptance.deployment import Deployment, Json, kill
from tests.app.predict.tiny_model import register_model, write_tiny_model
from tests.worker.corpus import make_rows
from worker.prediction_parts import PART_ROWS

Figure = Callable[[str], None]
pytestmark = pytest.mark.timeout(900)


class TestPredictions:
    def test_of_a_killed_worker_are_whole_and_those_of_predict(
        self, embedded: Deployment, tmp_path: Path, figure: Figure
    ) -> None:
        write_tiny_model(tmp_path / "tiny")
        store = ArtifactStore(embedded.folder / "artifacts")
        model_id = register_model(embedded.database, store, tmp_path / "tiny")
        embedded.start_api()
        # With the second part stored and not published.
        worker = embedded.start_worker(fault="predict.part:kill:2:1")
        rows = make_rows(PART_ROWS + 900, gold=0)
        dataset_id = embedded.upload(rows)
        body = {"model": "tickets@latest", "dataset_id": dataset_id}
        job_id = self.predict(embedded, body)
        assert embedded.row(job_id).attempt == 2
        log = (embedded.folder / "logs" / f"{job_id}.log").read_text()
        assert "prediction_resumed" in log
        told = embedded.http.get(f"/predictions/{job_id}").json()
        assert (told["model_id"], told["progress"]["percent"]) == (model_id, 100)
        assert told["counts"]["predicted"] == told["progress"]["rows_done"] == len(rows)
        answer = embedded.http.get(f"/predictions/{job_id}/output")
        entries = [orjson.loads(line) for line in answer.text.splitlines()]
        texts = [row["text"] for row in rows]
        assert [entry["text"] for entry in entries] == texts
        asked = embedded.http.post("/predict", json={"model": model_id, "input": texts}).json()
        for entry, shown in zip(entries, asked["data"], strict=True):
            assert entry["index"] == shown["index"]
            assert entry["label"] == shown["label"]
            assert entry["score"] == pytest.approx(shown["score"], abs=1e-5)
        kill(worker)
        embedded.start_worker()
        again = self.predict(embedded, body)
        assert embedded.row(again).attempt == 1
        outputs = [embedded.outputs(each)["predict"] for each in (job_id, again)]
        assert outputs[0]["predictions"] == outputs[1]["predictions"]
        content = embedded.http.get(
            f"/predictions/{again}/output", params={"format": "parquet"}
        ).content
        assert pq.read_table(pa.BufferReader(content)).num_rows == len(rows)
        figure(f"{len(rows)} texts, killed once, same sha256 as undisturbed")

    def predict(self, deployment: Deployment, body: Json) -> str:
        answer = deployment.http.post("/predictions", json=body)
        assert answer.status_code == 202, answer.text
        job_id: str = answer.json()["id"]
        deployment.wait_for_end(job_id)
        return job_id
