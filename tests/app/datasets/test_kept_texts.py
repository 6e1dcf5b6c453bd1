"""POST /datasets with `kept_texts_of`: the texts that a model was unsure of."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from fastapi.testclient import TestClient

from core.db.repositories.kept_texts import (
    Keeping,
    KeptReason,
    KeptTextRepository,
    UnsureText,
)
from core.db.session import Database
from core.ids import ModelId, TenantId, new_model_id
from tests.app.datasets.test_create_dataset import texts_of
from tests.app.models.parts import register
from tests.factories import TENANT

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
TEXTS = [f"text number {number}" for number in range(40)]
ODD = ['a "quoted" line\nand another', "\u201ccaf\u00e9\u201d \U0001f600", "\ttabbed"]


def keep(
    database: Database,
    texts: Sequence[str],
    *,
    tenant: TenantId = TENANT,
    model_id: ModelId | None = None,
) -> ModelId:
    """A model of which these texts are kept."""
    model_id = model_id or register(database, tenant=tenant)
    unsure = [UnsureText(text, "tech", 0.4, KeptReason.LOW_CONFIDENCE) for text in texts]
    with database.write() as session:
        kept = KeptTextRepository(session)
        keeping = kept.switch_on(tenant, model_id, below=0.6, max_rows=100)
        kept.keep(Keeping.of(keeping), unsure)
    return model_id


def make(client: TestClient, reference: Any, **headers: str) -> Any:
    body = {"name": "unsure", "kept_texts_of": reference}
    return client.post("/datasets", json=body, headers=headers)


class TestDatasetOfKeptTexts:
    def test_each_kept_text_is_a_row_without_an_answer(
        self, client: TestClient, database: Database
    ) -> None:
        model_id = keep(database, TEXTS + ODD)
        for reference in (model_id, "tickets", "tickets@latest"):
            answer = make(client, reference)
            assert answer.status_code == 201, answer.json()
        made = answer.json()
        assert made["statistics"]["unique"] == len(TEXTS + ODD)
        assert made["statistics"]["gold"] is None
        assert made["statistics"]["teacher_answers"] == 0
        assert made["size_bytes"] > sum(map(len, TEXTS))
        rows = texts_of(client, made["id"])
        assert sorted(row["text"] for row in rows) == sorted(text.strip() for text in TEXTS + ODD)

    def test_the_texts_stay_kept_and_the_dataset_stays_when_they_go(
        self, client: TestClient, database: Database
    ) -> None:
        model_id = keep(database, TEXTS)
        made = make(client, model_id).json()
        page = client.get(f"/models/{model_id}/kept_texts").json()
        assert page["keeping"]["counts"]["low_confidence"] == len(TEXTS)
        client.delete(f"/models/{model_id}/kept_texts")
        assert len(texts_of(client, made["id"])) == len(TEXTS)

    def test_the_same_request_is_the_same_dataset_whatever_is_kept_by_then(
        self, client: TestClient, database: Database
    ) -> None:
        model_id = keep(database, TEXTS)
        first = make(client, "tickets", **{"Idempotency-Key": "a"}).json()
        client.delete(f"/models/{model_id}/kept_texts")
        again = make(client, "tickets", **{"Idempotency-Key": "a"})
        assert (again.status_code, again.json()["id"]) == (201, first["id"])
        assert again.headers["Idempotent-Replayed"] == "true"
        other = make(client, model_id, **{"Idempotency-Key": "a"})
        assert (other.status_code, other.json()["code"]) == (422, "idempotency-mismatch")


@on_sqlite
class TestRefusals:
    def test_with_nothing_kept_there_is_no_dataset(
        self, client: TestClient, database: Database
    ) -> None:
        for model_id in (register(database), keep(database, [])):
            answer = make(client, model_id)
            assert (answer.status_code, answer.json()["code"]) == (409, "nothing-kept")

    def test_too_few_are_refused_as_in_any_upload(
        self, client: TestClient, database: Database
    ) -> None:
        model_id = keep(database, TEXTS[:31])
        answer = make(client, model_id)
        assert (answer.status_code, answer.json()["code"]) == (422, "insufficient-data")
        page = client.get(f"/models/{model_id}/kept_texts", params={"limit": 100}).json()
        assert len(page["data"]) == 31

    def test_what_is_none_of_the_tenants_models_is_not_found(
        self, client: TestClient, database: Database
    ) -> None:
        foreign = keep(database, TEXTS, tenant=TenantId("other"))
        for reference in (foreign, "tickets", "nothing@champion", new_model_id()):
            answer = make(client, reference)
            assert answer.status_code == 422
            (item,) = answer.json()["errors"]
            assert (item["pointer"], item["code"]) == ("/kept_texts_of", "not-found")

    def test_a_deleted_model_is_gone(self, client: TestClient, database: Database) -> None:
        model_id = keep(database, TEXTS)
        assert client.delete(f"/models/{model_id}").status_code == 204
        answer = make(client, model_id)
        assert answer.status_code == 410
        assert [item["pointer"] for item in answer.json()["errors"]] == ["/kept_texts_of"]

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"name": "a", "kept_texts_of": "Tickets"}, "/kept_texts_of"),
            ({"name": "a", "kept_texts_of": "a\0"}, "/kept_texts_of"),
            ({"name": "a", "kept_texts_of": None}, "/kept_texts_of"),
            ({"name": "a", "kept_texts_of": ["tickets"]}, "/kept_texts_of"),
            ({"kept_texts_of": "tickets"}, "/name"),
            ({"name": "\n", "kept_texts_of": "tickets"}, "/name"),
            ({"name": "a", "kept_texts_of": "tickets", "rows": ["a"]}, "/rows"),
        ],
    )
    def test_a_bad_body_is_named(
        self, client: TestClient, body: dict[str, Any], pointer: str
    ) -> None:
        answer = client.post(
            "/datasets", content=json.dumps(body), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 422
        assert [item["pointer"] for item in answer.json()["errors"]] == [pointer]
        assert "pattern" not in answer.json()["errors"][0]["message"]
