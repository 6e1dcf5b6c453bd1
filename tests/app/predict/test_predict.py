"""POST /predict and /models/{name}/predict."""

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from app.predict import names
from app.predict.admission import Admission
from app.predict.batcher import Batcher
from app.predict.pace import Pace
from app.predict.reading import Reader
from app.predict.serving import Serving
from core.artifacts import ArtifactStore
from core.db.base import db_now
from core.db.repositories.models import ModelRepository
from core.db.session import Database
from core.db.tables import ModelRow
from core.ids import ModelId, TenantId, new_model_id
from core.lifecycle import JobState
from tests.app.predict.tiny_model import LABELS, register_model, write_tiny_model
from tests.factories import TENANT, make_job

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
AS_JSON = {"Content-Type": "application/json"}
SURE = math.exp(4) / (math.exp(4) + 2)

# (body without the model, pointer of the fault)
BODIES: list[tuple[dict[str, Any], str]] = [
    ({"input": []}, "/input"),
    ({"input": ["a"] * 10_001}, "/input"),
    ({"input": None}, "/input"),
    ({"input": 7}, "/input"),
    ({"input": {"text": "a"}}, "/input"),
    ({}, "/input"),
    ({"input": ["a", "b", "c", None]}, "/input/3"),
    ({"input": ["a", 7]}, "/input/1"),
    ({"input": ["a", ["b"]]}, "/input/1"),
    ({"input": ["a", "b", "x" * (2 * 1024 * 1024)]}, "/input/2"),
    ({"input": "x" * (2 * 1024 * 1024)}, "/input"),
    ({"input": "a", "top_k": 0}, "/top_k"),
    ({"input": "a", "top_k": "3"}, "/top_k"),
    ({"input": "a", "threshold": 1.5}, "/threshold"),
    ({"input": "a", "threshold": -0.1}, "/threshold"),
    ({"input": "a", "on_low_confidence": "teacher"}, "/on_low_confidence"),
    ({"input": "a", "topk": 1}, "/topk"),
    ({"input": "a", "long_texts": "tail"}, "/long_texts"),
]

RAW: list[tuple[bytes, int, str]] = [
    (b"", 400, "malformed-json"),
    (b"null", 422, "validation-error"),
    (b'{"model": "tickets", "input": ["a", "\\ud800"]}', 422, "validation-error"),
    (b'{"model": "tickets", "input": "\\udfff"}', 422, "validation-error"),
    (b'{"model": "tickets", "input": "a", "threshold": NaN}', 400, "malformed-json"),
    (b'{"model": "tickets", "input": "a", "threshold": 1e999}', 422, "validation-error"),
    (b'{"model": "tickets", "model": "b", "input": "a"}', 400, "duplicate-key"),
    (b" " * (16 * 1024 * 1024 + 1), 413, "body-too-large"),
]

NO_MODELS = ["nothing", "tickets@champion", "../x", "a\0b", "x" * 200, "Tickets", "", "model_1"]


class TestPredict:
    def test_each_text_is_answered_in_order_by_a_named_model(
        self, client: TestClient, model_id: ModelId
    ) -> None:
        answer = _predict(client, input=["crash", "invoice", "parcel parcel"])
        assert (answer["object"], answer["model"]) == ("list", model_id)
        assert [entry["label"] for entry in answer["data"]] == ["tech", "billing", "delivery"]
        assert [entry["index"] for entry in answer["data"]] == [0, 1, 2]
        assert answer["data"][0]["score"] == pytest.approx(SURE)
        assert answer["usage"] == {"tokens": 4}
        assert answer["data"][0] == {
            "index": 0,
            "label": "tech",
            "score": pytest.approx(SURE),
            "abstained": False,
            "answered_by": "student",
            "deferral": None,
            "truncated": False,
            "windows": 1,
            "empty_input": False,
            "scores": [
                {"label": "tech", "score": pytest.approx(SURE)},
                {"label": "billing", "score": pytest.approx((1 - SURE) / 2)},
                {"label": "delivery", "score": pytest.approx((1 - SURE) / 2)},
            ],
        }

    def test_all_ways_to_name_the_model_lead_to_it(
        self, client: TestClient, model_id: ModelId
    ) -> None:
        for name in ("tickets", "tickets@latest", model_id):
            by_body = client.post("/predict", json={"model": name, "input": "crash"})
            by_path = client.post(f"/models/{name}/predict", json={"input": "crash"})
            assert by_body.status_code == 200
            assert by_body.json() == by_path.json()
            assert by_body.json()["model"] == model_id

    @on_sqlite
    def test_a_string_is_a_batch_of_one(self, client: TestClient, model_id: ModelId) -> None:
        assert _predict(client, input="crash") == _predict(client, input=["crash"])

    @on_sqlite
    def test_top_k_limits_the_scores(self, client: TestClient, model_id: ModelId) -> None:
        for top_k, expected in ((1, 1), (2, 2), (100, 3), (None, 3)):
            (entry,) = _predict(client, input="crash", top_k=top_k)["data"]
            assert len(entry["scores"]) == expected
            assert entry["scores"][0] == {"label": entry["label"], "score": entry["score"]}

    @on_sqlite
    def test_below_the_threshold_it_abstains_if_asked_to(
        self, client: TestClient, model_id: ModelId
    ) -> None:
        texts = ["crash", "nothing known"]
        told = _predict(client, input=texts, threshold=0.7, on_low_confidence="abstain")["data"]
        assert [(entry["label"], entry["abstained"]) for entry in told] == [
            ("tech", False),
            (None, True),
        ]
        kept = _predict(client, input=texts, threshold=0.7)["data"]
        assert [(entry["label"], entry["abstained"]) for entry in kept] == [
            ("tech", False),
            ("billing", True),
        ]
        assert not _predict(client, input=texts)["data"][1]["abstained"]

    @on_sqlite
    def test_long_and_blank_texts_are_flagged(self, client: TestClient, model_id: ModelId) -> None:
        texts = ["crash " * 9, "", " \n\t", "crash"]
        told = _predict(client, input=texts)["data"]
        assert [entry["truncated"] for entry in told] == [True, False, False, False]
        assert [entry["empty_input"] for entry in told] == [False, True, True, False]
        assert all(entry["label"] in LABELS for entry in told)

    @on_sqlite
    def test_long_texts_may_be_read_to_their_end(
        self, client: TestClient, model_id: ModelId
    ) -> None:
        # Eight tokens fit; the telling word is the last of twelve.
        texts = ["nothing " * 11 + "crash", "crash"]
        for how, label, truncated, windows in (
            ("head", "billing", True, 1),
            ("head_tail", "tech", True, 1),
            ("sliding_mean", "tech", False, 2),
        ):
            long, short = _predict(client, input=texts, long_texts=how)["data"]
            told = (long["label"], long["truncated"], long["windows"])
            assert told == (label, truncated, windows), how
            assert (short["label"], short["truncated"], short["windows"]) == ("tech", False, 1)

    @on_sqlite
    def test_ten_thousand_texts_are_one_request(
        self, client: TestClient, model_id: ModelId
    ) -> None:
        texts = [("crash", "invoice", "parcel")[place % 3] for place in range(10_000)]
        told = _predict(client, input=texts, top_k=1)["data"]
        assert [entry["index"] for entry in told] == list(range(10_000))
        assert [entry["label"] for entry in told[:3]] == ["tech", "billing", "delivery"]
        assert {entry["label"] for entry in told[1::3]} == {"billing"}

    @on_sqlite
    def test_more_scores_than_can_be_told_are_refused(
        self, client: TestClient, database: Database, artifacts: ArtifactStore, tmp_path: Path
    ) -> None:
        labels = tuple(f"l{place}" for place in range(150))
        write_tiny_model(tmp_path / "wide", labels=labels, votes={})
        register_model(database, artifacts, tmp_path / "wide", name="wide")
        body = {"model": "wide", "input": ["a"] * 10_000}
        answer = client.post("/predict", json=body)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/top_k")
        assert client.post("/predict", json=body | {"top_k": 1}).status_code == 200


class TestNames:
    def test_another_tenants_model_is_as_unknown_as_none(
        self, client: TestClient, database: Database, artifacts: ArtifactStore, tiny_folder: Path
    ) -> None:
        foreign = register_model(database, artifacts, tiny_folder, tenant=TenantId("other"))
        for name in (foreign, "tickets", new_model_id()):
            for answer in (
                client.post("/predict", json={"model": name, "input": "a"}),
                client.post(f"/models/{name}/predict", json={"input": "a"}),
            ):
                assert (answer.status_code, answer.json()["code"]) == (404, "not-found")

    def test_a_deleted_model_is_gone(
        self, client: TestClient, model_id: ModelId, database: Database
    ) -> None:
        with database.write() as session:
            row = session.get(ModelRow, model_id)
            assert row is not None
            row.deleted_at = db_now()
        answer = client.post("/predict", json={"model": "tickets", "input": "a"})
        assert (answer.status_code, answer.json()["code"]) == (410, "gone")

    def test_a_model_that_is_still_being_made_is_not_ready(
        self, client: TestClient, database: Database
    ) -> None:
        with database.write() as session:
            job = make_job(session, name="soon", state=JobState.RUNNING)
        for name in ("soon", "soon@latest", job.id):
            answer = client.post("/predict", json={"model": name, "input": "a"})
            assert (answer.status_code, answer.json()["code"]) == (409, "model-not-ready"), name

    def test_a_moved_alias_leads_to_the_new_model_within_a_second_or_so(
        self,
        client: TestClient,
        model_id: ModelId,
        database: Database,
        artifacts: ArtifactStore,
        tiny_folder: Path,
    ) -> None:
        assert _predict(client, input="a")["model"] == model_id
        newest = register_model(database, artifacts, tiny_folder)
        deadline = time.monotonic() + names.FRESH_SECONDS + 2
        while _predict(client, input="a")["model"] != newest:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    @on_sqlite
    def test_a_known_name_is_served_without_the_database(
        self,
        client: TestClient,
        model_id: ModelId,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        assert _predict(client, input="crash")["model"] == model_id
        asked = []

        def unreachable(*_: object) -> None:
            asked.append(1)
            raise OperationalError("SELECT 1", {}, Exception("gone"))

        monkeypatch.setattr(ModelRepository, "resolve", unreachable)
        assert _predict(client, input="crash")["model"] == model_id
        assert not asked
        monkeypatch.setattr(names, "FRESH_SECONDS", 0.0)
        time.sleep(1.05)
        for _ in range(5):
            assert _predict(client, input="crash")["model"] == model_id
        assert len(asked) == 1
        stranger = client.post("/predict", json={"model": "other", "input": "a"})
        assert (stranger.status_code, stranger.json()["code"]) == (503, "unavailable")

    @on_sqlite
    def test_a_damaged_model_is_refused_and_others_are_served(
        self,
        client: TestClient,
        model_id: ModelId,
        database: Database,
        artifacts: ArtifactStore,
        tmp_path: Path,
    ) -> None:
        write_tiny_model(tmp_path / "m", ballast=100)
        register_model(database, artifacts, tmp_path / "m", name="bad")
        with database.read() as session:
            row = ModelRepository(session).resolve(TENANT, "bad")
            assert row is not None
            model_file = artifacts.tree(row.artifact)["model.onnx"]
        content = bytearray(model_file.read_bytes())
        content[-20] ^= 1
        model_file.write_bytes(content)
        answer = client.post("/predict", json={"model": "bad", "input": "a"})
        assert (answer.status_code, answer.json()["code"]) == (503, "model-unavailable")
        assert int(answer.headers["retry-after"]) <= 30
        assert _predict(client, input="crash")["model"] == model_id


class TestBadInput:
    @on_sqlite
    def test_each_fault_is_named_by_its_place(self, client: TestClient, model_id: ModelId) -> None:
        for body, pointer in BODIES:
            for path, more in (("/predict", {"model": "tickets"}), ("/models/tickets/predict", {})):
                answer = client.post(path, json=body | more)
                problem = answer.json()
                told = (answer.status_code, problem["code"], problem["errors"][0]["pointer"])
                assert told == (422, "validation-error", pointer), str(body)[:80]

    @on_sqlite
    def test_what_is_no_sound_json_is_refused(self, client: TestClient) -> None:
        for body, status, code in RAW:
            answer = client.post("/predict", content=body, headers=AS_JSON)
            assert (answer.status_code, answer.json()["code"]) == (status, code), body[:80]

    @on_sqlite
    def test_half_a_surrogate_pair_is_named_by_its_place(self, client: TestClient) -> None:
        body = b'{"model": "tickets", "input": ["a", "b", "c", "\\ud800"]}'
        answer = client.post("/predict", content=body, headers=AS_JSON)
        assert answer.json()["errors"][0]["pointer"] == "/input/3"

    def test_what_names_no_model_is_not_found(self, client: TestClient) -> None:
        for name in NO_MODELS:
            answer = client.post("/predict", json={"model": name, "input": "a"})
            expected = (404, "not-found") if name else (422, "validation-error")
            assert (answer.status_code, answer.json()["code"]) == expected, name

    @on_sqlite
    def test_every_code_has_a_page(self, client: TestClient) -> None:
        for code in (
            "overloaded",
            "model-not-ready",
            "model-too-large",
            "model-unavailable",
            "no-room-for-model",
            "gone",
            "not-found",
        ):
            assert client.get(f"/problems/{code}").status_code == 200, code


class TestOverload:
    @on_sqlite
    def test_who_would_wait_too_long_hears_so_at_once(
        self, client: TestClient, model_id: ModelId
    ) -> None:
        serving = _without_threads(client)
        lane = serving.registry.lane(names.ModelRef(model_id, ""))
        assert lane is not None
        # Eight tokens that are promised to others, at a second each.
        lane.pace = Pace()
        lane.pace.seconds_a_token = 1.0
        serving.batcher.promise(lane, 8.0)
        answer = client.post("/predict", json={"model": "tickets", "input": "a"})
        assert (answer.status_code, answer.json()["code"]) == (429, "overloaded")
        assert answer.headers["retry-after"] == "8"

    @on_sqlite
    def test_a_client_that_hangs_up_frees_its_place(
        self, client: TestClient, model_id: ModelId
    ) -> None:
        # Without a thread nothing is ever answered: only leaving ends the request.
        serving = _without_threads(client)
        statuses: list[int | None] = []
        messages: Iterator[dict[str, Any]] = iter(
            [
                {"type": "http.request", "body": b'{"model": "tickets", "input": "a"}'},
                {"type": "http.disconnect"},
            ]
        )

        async def receive() -> dict[str, Any]:
            return next(messages)

        async def send(message: dict[str, Any]) -> None:
            statuses.append(message.get("status"))

        app: Any = client.app
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/predict",
            "raw_path": b"/predict",
            "query_string": b"",
            "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
            "app": app,
        }
        assert client.portal is not None
        client.portal.call(app, scope, receive, send)
        assert statuses[0] == 499
        lane = serving.registry.lane(names.ModelRef(model_id, ""))
        assert lane is not None
        assert not lane
        assert lane.turn_tokens == 0


def _without_threads(client: TestClient) -> Serving:
    """The service with its model in memory, and nobody who answers."""
    _predict(client, input="a")
    state: Any = client.app.state  # type: ignore[attr-defined]
    state.serving.batcher.close()
    batcher = Batcher(threads=0)
    state.serving = replace(
        state.serving,
        batcher=batcher,
        admission=Admission(state.settings, batcher),
        reader=Reader(batcher),
    )
    return state.serving  # type: ignore[no-any-return]


def _predict(client: TestClient, **body: Any) -> dict[str, Any]:
    answer = client.post("/predict", json={"model": "tickets"} | body)
    assert answer.status_code == 200, answer.json()
    found: dict[str, Any] = answer.json()
    return found
