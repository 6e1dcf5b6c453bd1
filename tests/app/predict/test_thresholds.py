"""Which answers are unsure: below a score, below one by label, or below what a target takes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from app.predict import thresholds
from app.predict.thresholds import Certifier
from core.artifacts import ArtifactStore
from core.db.session import Database
from core.ids import ModelId
from llkd import cascade
from llkd.cascade import Below
from llkd.certification import CERTIFICATION, Certification, Halves, write_certification
from llkd.threshold_path import Observed, threshold_path
from llkd.types import FloatArray
from tests.app.predict.tiny_model import LABELS, register_model, write_tiny_model

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
# What the tiny model is: .965 sure of a word it knows, a third of any other.
TEXTS = ["crash", "invoice", "unknown"]


def observed(count: int) -> Observed:
    """Sure answers agree all but one in a hundred, unsure ones one in five."""
    places = np.arange(count)
    sure = places % 2 == 0
    return Observed(
        predicted=places % len(LABELS),
        score=np.where(sure, 0.965, 1 / 3),
        agrees=np.where(sure, places % 100 != 0, places % 5 == 0),
    )


def certify(folder: Path, engine: str = "onnxruntime") -> None:
    halves = Halves(observed(1000), observed(1000))
    told = Certification(LABELS, "certification", 1.0, {engine: halves})
    write_certification(told, folder / CERTIFICATION)


@pytest.fixture
def certified_id(database: Database, artifacts: ArtifactStore, tmp_path: Path) -> ModelId:
    write_tiny_model(tmp_path / "certified")
    certify(tmp_path / "certified")
    return register_model(database, artifacts, tmp_path / "certified")


def ask(client: TestClient, **body: Any) -> Any:
    return client.post("/predict", json={"model": "tickets", "input": TEXTS} | body)


def abstained(answer: Any) -> list[bool]:
    assert answer.status_code == 200, answer.json()
    return [entry["abstained"] for entry in answer.json()["data"]]


class TestCertifier:
    def test_what_takes_long_is_done_once_for_all_targets(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = []

        def counted(shaping: Observed, *, class_count: int) -> FloatArray:
            made.append(class_count)
            return threshold_path(shaping, class_count=class_count)

        monkeypatch.setattr(thresholds, "threshold_path", counted)
        halves = Halves(observed(1000), observed(600))
        certifier = Certifier(halves, class_count=3)
        assert made == [3]
        for target in (0.8, 0.9, 0.97):
            expected = cascade.certify(
                halves.shaping,
                halves.certifying,
                class_count=3,
                target=target,
                delta=0.1,
                below=Below.NOBODY,
            )
            found = certifier.thresholds(target, 0.1, Below.NOBODY)
            assert found.tolist() == expected.thresholds.tolist()
        assert made == [3]


@on_sqlite
class TestByLabel:
    def test_each_label_has_its_own(self, client: TestClient, model_id: ModelId) -> None:
        assert abstained(ask(client, threshold={"tech": 0.99})) == [True, False, False]
        assert abstained(ask(client, threshold={"billing": 0.97, "tech": 0})) == [
            False,
            True,
            True,
        ]

    def test_what_is_no_label_is_named(self, client: TestClient, model_id: ModelId) -> None:
        answer = ask(client, threshold={"tech": 0.5, "a/b": 0.5})
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert (error["pointer"], error["code"]) == ("/threshold/a~1b", "unknown-label")

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"threshold": {"tech": 1.5}}, "/threshold/tech"),
            ({"threshold": {}}, "/threshold"),
            ({"threshold": [0.5]}, "/threshold"),
            ({"threshold": "0.5"}, "/threshold"),
            ({"threshold": 0.5, "target": {"agreement": 0.9}}, "/target"),
            ({"target": {"agreement": 0.9}}, "/on_low_confidence"),
            ({"target": {"agreement": 1.0}, "on_low_confidence": "abstain"}, "/target/agreement"),
            (
                {"target": {"agreement": 0.9, "delta": 0}, "on_low_confidence": "abstain"},
                "/target/delta",
            ),
            ({"on_low_confidence": "teacher"}, "/on_low_confidence"),
            (
                {
                    "target": {"agreement": 0.9},
                    "on_low_confidence": "abstain",
                    "long_texts": "sliding_mean",
                },
                "/long_texts",
            ),
        ],
    )
    def test_a_fault_has_one_place(
        self, client: TestClient, model_id: ModelId, body: dict[str, Any], pointer: str
    ) -> None:
        answer = ask(client, **body)
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@on_sqlite
class TestTarget:
    def test_thresholds_are_found_for_it(self, client: TestClient, certified_id: ModelId) -> None:
        held = ask(client, target={"agreement": 0.95}, on_low_confidence="abstain")
        assert abstained(held) == [False, False, True]
        assert held.json()["data"][2]["label"] is None
        low = ask(client, target={"agreement": 0.5}, on_low_confidence="abstain")
        assert abstained(low) == [False, False, False]

    def test_it_is_of_the_heads_of_texts(self, client: TestClient, certified_id: ModelId) -> None:
        target = {"target": {"agreement": 0.95}, "on_low_confidence": "abstain"}
        assert abstained(ask(client, long_texts="head", **target)) == [False, False, True]
        answer = ask(client, long_texts="head_tail", **target)
        assert answer.status_code == 422
        assert [error["code"] for error in answer.json()["errors"]] == ["target-of-heads"]

    def test_where_nothing_can_be_certified_all_abstain(
        self, client: TestClient, certified_id: ModelId
    ) -> None:
        asked = ask(client, target={"agreement": 0.999}, on_low_confidence="abstain")
        assert abstained(asked) == [True, True, True]

    def test_a_model_without_certification_texts_says_so(
        self, client: TestClient, model_id: ModelId
    ) -> None:
        answer = ask(client, target={"agreement": 0.9}, on_low_confidence="abstain")
        assert (answer.status_code, answer.json()["code"]) == (422, "not-certified")
        assert answer.json()["errors"][0]["pointer"] == "/target"

    def test_what_another_engine_answered_certifies_nothing(
        self, client: TestClient, database: Database, artifacts: ArtifactStore, tmp_path: Path
    ) -> None:
        write_tiny_model(tmp_path / "other")
        certify(tmp_path / "other", engine="another")
        register_model(database, artifacts, tmp_path / "other")
        answer = ask(client, target={"agreement": 0.9}, on_low_confidence="abstain")
        assert (answer.status_code, answer.json()["code"]) == (422, "not-certified")
        assert "certified as another answers; here onnxruntime serves" in answer.json()["detail"]

    @pytest.mark.parametrize("content", ['{"format_version": 2}', "no JSON"])
    def test_a_certification_of_another_version_keeps_nobody_from_answers(
        self,
        client: TestClient,
        database: Database,
        artifacts: ArtifactStore,
        tmp_path: Path,
        content: str,
    ) -> None:
        write_tiny_model(tmp_path / "later")
        (tmp_path / "later" / CERTIFICATION).write_text(content)
        model_id = register_model(database, artifacts, tmp_path / "later")
        with capture_logs() as told:
            assert abstained(ask(client, threshold=0.9)) == [False, False, True]
        (warning,) = [line for line in told if line["event"] == "certification_unreadable"]
        assert (warning["log_level"], warning["model"]) == ("warning", model_id)
        answer = ask(client, target={"agreement": 0.9}, on_low_confidence="abstain")
        assert (answer.status_code, answer.json()["code"]) == (422, "not-certified")
        assert "cannot read the certification" in answer.json()["detail"]

    def test_drift_is_told_against_the_certification_texts(
        self, client: TestClient, certified_id: ModelId
    ) -> None:
        assert ask(client, input=["crash"] * 600).status_code == 200
        told = client.get("/metrics").text
        (line,) = [
            line
            for line in told.splitlines()
            if line.startswith(f'llkd_predict_label_drift{{model="{certified_id}"}}')
        ]
        assert float(line.split()[-1]) > 1
