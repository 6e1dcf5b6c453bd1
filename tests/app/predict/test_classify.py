"""POST /v1/classify: vLLM's request and answer, this service's models and problems."""

from threading import current_thread
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.predict import endpoints, service
from app.predict.classify_rendering import render_classification
from core.ids import ModelId
from tests.app.predict.test_predict import SURE

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

# What vLLM's own clients send, and what changes nothing here.
HARMLESS: list[dict[str, Any]] = [
    {"user": "crm"},
    {"priority": 0},
    {"truncate_prompt_tokens": -1},
    {"truncate_prompt_tokens": None},
    {"add_special_tokens": True, "use_activation": True, "request_id": "r-1"},
]
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"priority": 1}, "/priority"),
    ({"truncate_prompt_tokens": 128}, "/truncate_prompt_tokens"),
    ({"use_activation": False}, "/use_activation"),
    ({"messages": []}, "/messages"),
    ({"input": [[1, 2]]}, "/input/0"),
    ({"input": []}, "/input"),
]


@on_sqlite
class TestClassify:
    def test_the_answer_has_vllms_shape(self, client: TestClient, model_id: ModelId) -> None:
        answer = _classify(client, input=["crash", "parcel parcel"])
        assert answer.status_code == 200
        told = answer.json()
        assert told.pop("id").startswith("classify-req_")
        assert isinstance(told.pop("created"), int)
        rest = (1 - SURE) / 2
        assert told["data"][0] == {
            "index": 0,
            "label": "tech",
            "probs": [pytest.approx(rest), pytest.approx(SURE), pytest.approx(rest)],
            "num_classes": 3,
        }
        assert told["data"][1]["label"] == "delivery"
        assert (told["object"], told["model"]) == ("list", model_id)
        assert told["usage"] == {
            "prompt_tokens": 3,
            "total_tokens": 3,
            "completion_tokens": 0,
            "prompt_tokens_details": None,
        }

    def test_it_agrees_with_predict(self, client: TestClient, model_id: ModelId) -> None:
        body = {"model": "tickets@latest", "input": "crash invoice invoice"}
        (ours,) = client.post("/predict", json=body).json()["data"]
        (theirs,) = client.post("/v1/classify", json=body).json()["data"]
        assert theirs["label"] == ours["label"]
        assert max(theirs["probs"]) == ours["score"]

    def test_options_that_change_nothing_are_taken(
        self, client: TestClient, model_id: ModelId
    ) -> None:
        for options in HARMLESS:
            assert _classify(client, **options).status_code == 200, options

    def test_options_that_would_are_refused(self, client: TestClient, model_id: ModelId) -> None:
        for options, pointer in REFUSED:
            answer = _classify(client, **options)
            told = answer.json()
            assert (answer.status_code, told["errors"][0]["pointer"]) == (422, pointer), options

    def test_many_scores_are_told_off_the_event_loop(
        self, client: TestClient, model_id: ModelId, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "INLINE_SCORES", 6)
        threads = list[str]()

        def watched(*told: Any, **more: Any) -> bytes:
            threads.append(current_thread().name)
            return render_classification(*told, **more)

        monkeypatch.setattr(endpoints, "render_classification", watched)
        for texts in (["crash"] * 2, ["crash"] * 3):
            assert len(_classify(client, input=texts).json()["data"]) == len(texts)
        on_loop, beside = threads
        assert beside == "AnyIO worker thread" != on_loop

    def test_an_unknown_model_is_a_problem_of_ours(self, client: TestClient) -> None:
        answer = _classify(client)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


def _classify(client: TestClient, **body: Any) -> Any:
    return client.post("/v1/classify", json={"model": "tickets", "input": "crash"} | body)
