"""Stored teachers, as requests make them and as tests look into them."""

from typing import Any

from fastapi.testclient import TestClient

from core.config import Settings
from core.db.repositories.teachers import key_owner
from core.db.session import Database
from core.db.tables import TeacherRow
from core.secret_key_file import open_vault
from core.secrets import SecretBox

Json = dict[str, Any]
# As no other text in this project: wherever it turns up, a key has leaked.
CANARY = "sk-canary-7f3a9c51d2e84b60-wxyz"


def teacher_body(**changes: Any) -> Json:
    """What `POST /teachers` needs at least, with a key, and what the test changes."""
    body: Json = {
        "name": "GPT-4o mini",
        "base_url": "https://api.openai.com/v1",
        "model": "gpt-4o-mini",
        "key": CANARY,
    }
    return body | changes


PRICES = {"input_usd_per_million": 0.15, "output_usd_per_million": 0.6}
LIMITS: Json = {
    "concurrency": 8,
    "requests_per_minute": 500,
    "tokens_per_minute": 200_000,
    "timeout_seconds": 30.0,
    "prices": PRICES,
}


def create(client: TestClient, **changes: Any) -> Json:
    answer = client.post("/teachers", json=teacher_body(**changes))
    assert answer.status_code == 201, answer.text
    teacher: Json = answer.json()
    return teacher


def stored(database: Database, teacher: Json) -> TeacherRow:
    with database.read() as session:
        row = session.get(TeacherRow, teacher["id"])
    assert row is not None
    return row


def opened(settings: Settings, row: TeacherRow) -> str:
    """The key that a worker would send."""
    assert row.sealed_key is not None
    vault = open_vault(settings.secret_keys, data_dir=settings.data_dir)
    return vault.open(SecretBox.from_json(row.sealed_key), owner=key_owner(row)).get_secret_value()
