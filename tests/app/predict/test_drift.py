"""GET /models/{name}/drift."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from core.artifacts import ArtifactStore
from core.db.session import Database
from core.ids import ModelId
from tests.app.predict.test_thresholds import certify
from tests.app.predict.tiny_model import LABELS, register_model, write_tiny_model

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def certified_id(database: Database, artifacts: ArtifactStore, tmp_path: Path) -> ModelId:
    """Half of its certification texts scored .965, half a third; each label as often."""
    write_tiny_model(tmp_path / "certified")
    certify(tmp_path / "certified")
    return register_model(database, artifacts, tmp_path / "certified")


def predict(client: TestClient, *texts: str) -> None:
    answer = client.post("/predict", json={"model": "tickets", "input": list(texts)})
    assert answer.status_code == 200, answer.json()


def test_the_figures_are_those_of_the_metrics_with_what_is_behind_them(
    client: TestClient, certified_id: ModelId
) -> None:
    for _ in range(5):
        predict(client, *["crash"] * 100, *["unknown"] * 100)
    told = client.get("/models/tickets/drift").json()
    assert (told["object"], told["model_id"], told["why_none"]) == ("drift", certified_id, None)
    assert told["texts"] == 1000
    # As sure as ever, and always of the same labels.
    assert told["scores"]["reading"] == "stable"
    assert told["scores"]["value"] < 0.01
    assert told["labels"]["reading"] == "large_shift"
    assert told["labels"]["value"] > 0.25
    shown = client.get("/metrics").text
    line = f'llkd_predict_label_drift{{model="{certified_id}"}} '
    (value,) = [each.removeprefix(line) for each in shown.splitlines() if each.startswith(line)]
    assert float(value) == pytest.approx(told["labels"]["value"])
    assert [each["label"] for each in told["label_counts"]] == list(LABELS)
    assert sum(each["count"] for each in told["label_counts"]) == 1000
    assert sum(each["expected"] for each in told["score_bins"]) == pytest.approx(1)
    assert (told["score_bins"][9]["lower"], told["score_bins"][9]["upper"]) == (0.9, 1.0)
    assert (told["score_bins"][9]["count"], told["score_bins"][3]["count"]) == (500, 500)


def test_of_few_texts_no_index_is_told(client: TestClient, certified_id: ModelId) -> None:
    predict(client, "crash", "invoice")
    told = client.get(f"/models/{certified_id}/drift").json()
    assert told["texts"] == 2
    assert told["scores"] == told["labels"] == {"value": None, "reading": None}
    assert sum(each["count"] for each in told["score_bins"]) == 2


def test_what_is_not_in_memory_is_not_loaded_for_it(
    client: TestClient, certified_id: ModelId
) -> None:
    told = client.get("/models/tickets@latest/drift").json()
    assert (told["why_none"], told["texts"], told["scores"]) == ("not_loaded", 0, None)
    assert client.get("/models/tickets/drift").json() == told


def test_without_certification_there_is_nothing_to_compare_with(
    client: TestClient, model_id: ModelId
) -> None:
    predict(client, "crash")
    told = client.get("/models/tickets/drift").json()
    assert (told["why_none"], told["label_counts"]) == ("not_certified", [])


@pytest.mark.parametrize("name", ["nobody", "a b", "model_01JZ8Q4ZK3V9W2T5R7X1M6N0PD"])
def test_an_unknown_model_is_not_found(client: TestClient, name: str) -> None:
    assert client.get(f"/models/{name}/drift").status_code == 404
