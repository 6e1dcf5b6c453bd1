"""A teacher's key goes to its server, and nowhere else: not into an answer, the log or the disk."""

import io
import json
import logging
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import select

from app.main import create_app
from app.teachers import service
from app.teachers.schemas import TeacherCreate
from core.config import Settings
from core.db.session import Database
from core.db.tables import TeacherRow
from core.logging import configure_logging
from tests.app.conftest import BASE_URL
from tests.app.teachers.parts import CANARY, teacher_body
from tests.app.teachers.server import Answer, Asked, Script, says, teaches

HEADERS = {"Content-Type": "application/json"}


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that the service logs, as an operator has it, at every level."""
    handlers, level = logging.root.handlers[:], logging.root.level
    processors = structlog.get_config()
    stream = io.StringIO()
    configure_logging(stream=stream, level=logging.DEBUG)
    logging.root.setLevel(logging.DEBUG)
    yield stream
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.configure(**processors)


def bodies() -> list[bytes]:
    """Requests with the key that are refused, at every edge between the socket and the row."""
    fine = teacher_body()
    refused: list[Any] = [
        fine | {"temperature": 1},
        fine | {"concurrency": "many"},
        fine | {"key": f"{CANARY} with space"},
        fine | {"key": f"{CANARY}\n"},
        fine | {"key": [CANARY]},
        fine | {"key": {CANARY: CANARY}},
        fine | {"key": CANARY * 200},
        fine | {"base_url": f"https://{CANARY}@api.openai.com/v1"},
        fine | {"base_url": f"https://user:{CANARY}@api.openai.com/v1"},
        fine | {"base_url": f"https://api.openai.com/v1?key={CANARY}"},
        fine | {"base_url": f"https://example.com/{CANARY}"},
        {"key": CANARY},
        CANARY,
        [CANARY],
    ]
    broken = json.dumps(fine)
    return [
        *(json.dumps(body).encode() for body in refused),
        broken[:-1].encode(),
        broken.replace("}", ',"key": "b"}').encode(),
        broken.encode("utf-16"),
    ]


class TestTheKey:
    def test_a_refusal_does_not_repeat_it(self, client: TestClient, log: io.StringIO) -> None:
        for body in bodies():
            answer = client.post("/teachers", content=body, headers=HEADERS)
            assert 400 <= answer.status_code < 500, body
            assert CANARY not in answer.text + str(answer.headers), body
        assert CANARY not in log.getvalue()

    def test_no_answer_tells_it(self, client: TestClient, server: Script, log: io.StringIO) -> None:
        key = {"Idempotency-Key": "k"}
        made = client.post("/teachers", json=teacher_body(base_url=server.base_url), headers=key)
        where = made.headers["Location"]
        told = [
            made,
            client.post("/teachers", json=teacher_body(base_url=server.base_url), headers=key),
            client.post("/teachers", json=teacher_body(), headers=key),
            client.get(where),
            client.get("/teachers"),
            client.post(f"{where}/test"),
            client.patch(where, json={"key": CANARY, "concurrency": 0}),
            client.patch(where, json={"key": CANARY}),
            client.get("/openapi.json"),
            client.delete(where),
        ]
        assert [answer.status_code for answer in told] == [
            *(201, 201, 422, 200, 200, 200, 422, 200, 200, 204)
        ]
        for answer in told:
            assert CANARY not in answer.text + str(answer.headers)
        assert CANARY not in log.getvalue()

    @pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500])
    def test_a_server_that_repeats_it_is_not_quoted(
        self, client: TestClient, server: Script, log: io.StringIO, status: int
    ) -> None:
        def answer(asked: Asked) -> Answer:
            if status == 200:
                return teaches(model=f"echo {asked.authorization}")(asked)
            said = {"error": {"message": f"Incorrect key: {asked.authorization}"}}
            return says(status, said, **{"X-Echo": str(asked.authorization)})(asked)

        server.answer = answer
        made = client.post("/teachers", json=teacher_body(base_url=server.base_url))
        where = made.headers["Location"]
        found = client.post(f"{where}/test")
        assert found.json()["status"] == status
        assert any(CANARY in str(asked.authorization) for asked in server.asked)
        for told in (found.text, client.get(where).text, log.getvalue()):
            assert CANARY not in told

    def test_an_error_of_ours_does_not_log_it(
        self, settings: Settings, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(row: TeacherRow, key: SecretStr | None, vault: object) -> None:
            raise RuntimeError(f"about {row.id} and {key!r}")

        monkeypatch.setattr(service, "_sealed", fail)
        app = create_app(settings)
        with TestClient(app, base_url=BASE_URL, raise_server_exceptions=False) as client:
            answer = client.post("/teachers", json=teacher_body())
        assert answer.status_code == 500
        assert "about teacher_" in log.getvalue()
        assert CANARY not in answer.text + log.getvalue()

    @pytest.mark.parametrize("database", ["sqlite"], indirect=True)
    def test_it_lies_nowhere_on_the_disk(
        self, client: TestClient, server: Script, tmp_path: Path, database: Database
    ) -> None:
        made = client.post("/teachers", json=teacher_body(base_url=server.base_url))
        client.post(f"{made.headers['Location']}/test")
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert any(made.json()["id"].encode() in path.read_bytes() for path in files)
        assert not [path for path in files if CANARY.encode() in path.read_bytes()]


class TestTheRequestsDigest:
    def test_whoever_reads_the_database_cannot_try_guesses_at_it(
        self, client: TestClient, database: Database
    ) -> None:
        client.post("/teachers", json=teacher_body())
        with database.read() as session:
            (stored,) = session.scalars(select(TeacherRow.request_sha256))
        meaning = TeacherCreate.model_validate(teacher_body()).model_dump(mode="json")
        guesses = [meaning | {"key": CANARY}, teacher_body(), {"key": CANARY}]
        plain = [orjson.dumps(guess, option=orjson.OPT_SORT_KEYS) for guess in guesses]
        assert stored not in [sha256(guess).hexdigest() for guess in (*plain, CANARY.encode())]

    def test_a_repeated_request_is_known_after_the_keys_were_rotated(
        self, settings: Settings
    ) -> None:
        old, new = ("old:" + "A" * 43 + "=", "new:" + "B" * 42 + "A=")
        headers = {"Idempotency-Key": "k"}
        codes = []
        for keys in ((old,), (new, old), (new,)):
            turned = settings.model_copy(update={"secret_keys": tuple(map(SecretStr, keys))})
            with TestClient(create_app(turned), base_url=BASE_URL) as client:
                answer = client.post("/teachers", json=teacher_body(), headers=headers)
                codes.append(answer.status_code)
        # Without the old key nobody can tell; then it is a request that came with another body.
        assert codes == [201, 201, 422]
