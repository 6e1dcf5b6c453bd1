"""PUT, GET and DELETE /models/{name}/kept_texts, and what predictions leave there."""

import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.predict import kept_texts as keeping_texts
from app.predict import names
from app.predict.service import INLINE_OFFERED
from core.artifacts import ArtifactStore
from core.db.repositories.kept_texts import (
    Keeping,
    KeptReason,
    KeptTextRepository,
    UnsureText,
    digest_of,
)
from core.db.session import Database
from core.db.tables import KeptTextRow
from core.ids import ModelId, TenantId, new_job_id, new_model_id
from tests.app.models.parts import register
from tests.app.predict.tiny_model import register_model, write_tiny_model
from tests.factories import TENANT

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

# What the tiny model is sure of, and what it knows nothing about.
SURE, UNSURE = "crash", "what is this"


@pytest.fixture
def served(client: TestClient, database: Database, tmp_path: Path) -> ModelId:
    """A model that predicts, as `tickets@latest`."""
    write_tiny_model(tmp_path / "model")
    artifacts: ArtifactStore = client.app.state.artifacts  # type: ignore[attr-defined]
    return register_model(database, artifacts, tmp_path / "model")


@pytest.fixture(autouse=True)
def _short_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "FRESH_SECONDS", 0.0)


def fill(database: Database, model_id: ModelId, count: int) -> None:
    texts = [
        UnsureText(f"text {number}", "tech", 0.4, KeptReason.LOW_CONFIDENCE)
        for number in range(count)
    ]
    with database.write() as session:
        kept = KeptTextRepository(session)
        keeping = kept.keeping(TENANT, model_id)
        assert keeping is not None
        kept.keep(Keeping.of(keeping), texts)


def until_kept(client: TestClient, model: str, count: int) -> Any:
    deadline = time.monotonic() + 20
    while True:
        page = client.get(f"/models/{model}/kept_texts").json()
        if len(page["data"]) >= count:
            return page
        assert time.monotonic() < deadline, page
        time.sleep(0.05)


class TestKeepTexts:
    def test_from_then_on_unsure_texts_are_there(self, client: TestClient, served: ModelId) -> None:
        ask = {"model": "tickets", "input": [UNSURE, SURE]}
        assert client.post("/predict", json=ask).status_code == 200
        answer = client.put("/models/tickets@latest/kept_texts", json={"below": 0.6})
        assert answer.status_code == 200
        told = answer.json()
        assert (told["model_id"], told["below"], told["max_rows"]) == (served, 0.6, 1000)
        assert told["counts"] == {"low_confidence": 0, "deferred": 0}
        deadline = time.monotonic() + 20
        # A process hears of it within a second.
        while not (page := client.get(f"/models/{served}/kept_texts").json())["data"]:
            assert time.monotonic() < deadline, page
            answer = client.post("/predict", json=ask | {"input": ["so what", SURE, " so what"]})
            time.sleep(0.05)
        assert page["keeping"]["counts"]["low_confidence"] == 1
        (kept,) = page["data"]
        assert (kept["text"], kept["reason"]) == ("so what", "low_confidence")
        best = answer.json()["data"][0]
        assert (kept["label"], kept["score"]) == (best["label"], best["score"])

    def test_when_the_service_ends_what_waits_is_written(
        self, client: TestClient, served: ModelId, database: Database
    ) -> None:
        client.put(f"/models/{served}/kept_texts", json={"below": 1, "max_rows": 5})
        client.post("/predict", json={"model": served, "input": [f"t{n}" for n in range(9)]})
        client.app.state.serving.keeper.close()  # type: ignore[attr-defined]
        with database.read() as session:
            assert len(list(KeptTextRepository(session).texts(served))) == 5

    def test_of_a_large_request_a_fair_lot_is_kept(
        self, client: TestClient, served: ModelId, database: Database
    ) -> None:
        texts = [f"t{number}" for number in range(INLINE_OFFERED + 100)]
        client.put(f"/models/{served}/kept_texts", json={"below": 1, "max_rows": 5})
        client.post("/predict", json={"model": served, "input": texts + texts[:50]})
        client.app.state.serving.keeper.close()  # type: ignore[attr-defined]
        with database.read() as session:
            found = list(KeptTextRepository(session).texts(served))
        assert found == sorted(texts, key=lambda text: digest_of(served, text))[:5]

    def test_again_it_changes_what_is_kept(self, client: TestClient, database: Database) -> None:
        model_id = register(database)
        first = client.put(f"/models/{model_id}/kept_texts", json={"below": 0.6}).json()
        fill(database, model_id, 20)
        body = {"below": 0.3, "max_rows": 8}
        again = client.put(f"/models/{model_id}/kept_texts", json=body).json()
        assert (again["below"], again["max_rows"], again["since"]) == (0.3, 8, first["since"])
        assert again["counts"]["low_confidence"] == 8

    @on_sqlite
    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({}, "/below"),
            ({"below": 0}, "/below"),
            ({"below": 1.1}, "/below"),
            ({"below": "0.5"}, "/below"),
            ({"below": None}, "/below"),
            ({"below": 0.5, "max_rows": 0}, "/max_rows"),
            ({"below": 0.5, "max_rows": 10_001}, "/max_rows"),
            ({"below": 0.5, "max_rows": 1.5}, "/max_rows"),
            ({"below": 0.5, "rows": 5}, "/rows"),
        ],
    )
    def test_a_bad_body_is_named(
        self, client: TestClient, database: Database, body: dict[str, Any], pointer: str
    ) -> None:
        answer = client.put(f"/models/{register(database)}/kept_texts", json=body)
        assert answer.status_code == 422
        assert [item["pointer"] for item in answer.json()["errors"]] == [pointer]


class TestReadKeptTexts:
    def test_switched_off_there_is_nothing(self, client: TestClient, database: Database) -> None:
        page = client.get(f"/models/{register(database)}/kept_texts").json()
        assert page == {
            "object": "list",
            "keeping": None,
            "data": [],
            "has_more": False,
            "first_id": None,
            "last_id": None,
        }

    def test_pages_meet_each_text_once(self, client: TestClient, database: Database) -> None:
        model_id = register(database)
        path = f"/models/{model_id}/kept_texts"
        client.put(path, json={"below": 0.6})
        fill(database, model_id, 5)
        first = client.get(path, params={"limit": 3}).json()
        rest = client.get(path, params={"limit": 3, "after": first["last_id"]}).json()
        found = [text["text"] for text in first["data"] + rest["data"]]
        assert sorted(found) == [f"text {number}" for number in range(5)]
        assert (first["has_more"], rest["has_more"]) == (True, False)

    @on_sqlite
    def test_a_forged_cursor_is_refused(self, client: TestClient, database: Database) -> None:
        path = f"/models/{register(database)}/kept_texts"
        for cursor in ("x", "0" * 63, "G" * 64, new_job_id()):
            answer = client.get(path, params={"after": cursor})
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")


class TestForgetKeptTexts:
    def test_the_texts_are_gone_and_no_more_are_kept(
        self, client: TestClient, served: ModelId, database: Database
    ) -> None:
        path = f"/models/{served}/kept_texts"
        client.put(path, json={"below": 0.6})
        fill(database, served, 3)
        assert client.delete(path).status_code == 204
        assert client.delete(path).status_code == 204
        client.post("/predict", json={"model": served, "input": [UNSURE]})
        client.app.state.serving.keeper.close()  # type: ignore[attr-defined]
        assert client.get(path).json()["data"] == []
        assert client.get(path).json()["keeping"] is None

    def test_switched_on_again_what_was_asked_before_stays_away(
        self, client: TestClient, served: ModelId, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Nothing is written before the service ends.
        monkeypatch.setattr(keeping_texts, "FLUSH_SECONDS", 3600.0)
        path = f"/models/{served}/kept_texts"
        client.put(path, json={"below": 1})
        client.post("/predict", json={"model": served, "input": [UNSURE]})
        assert client.delete(path).status_code == 204
        client.put(path, json={"below": 1})
        client.post("/predict", json={"model": served, "input": ["so what"]})
        client.app.state.serving.keeper.close()  # type: ignore[attr-defined]
        assert [each["text"] for each in client.get(path).json()["data"]] == ["so what"]


class TestWhoseTexts:
    @on_sqlite
    def test_what_names_no_model_is_not_found(self, client: TestClient, database: Database) -> None:
        foreign = register(database, tenant=TenantId("other"))
        for reference in (foreign, "tickets", new_model_id(), new_job_id(), "Tickets", "%00"):
            path = f"/models/{reference}/kept_texts"
            for answer in (
                client.get(path),
                client.delete(path),
                client.put(path, json={"below": 0.6}),
            ):
                assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), reference

    def test_of_a_deleted_model_nothing_is_kept(
        self, client: TestClient, database: Database
    ) -> None:
        model_id = register(database)
        path = f"/models/{model_id}/kept_texts"
        client.put(path, json={"below": 0.6})
        fill(database, model_id, 3)
        assert client.delete(f"/models/{model_id}").status_code == 204
        answers = (client.get(path), client.delete(path), client.put(path, json={"below": 0.6}))
        assert [answer.status_code for answer in answers] == [410, 410, 410]
        with database.read() as session:
            assert KeptTextRepository(session).keeping(TENANT, model_id) is None
            assert session.scalars(select(KeptTextRow)).all() == []
