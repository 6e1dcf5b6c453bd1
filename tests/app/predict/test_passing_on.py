"""POST /predict with `on_low_confidence: teacher`: who answers, and what is said if nobody does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from app.main import create_app
from core.artifacts import ArtifactStore
from core.config import Settings
from core.db.repositories.kept_texts import KeptTextRepository
from core.db.session import Database
from core.db.tables import JobRow
from core.ids import ModelId
from core.lifecycle import PROBED, JobState
from tests.app.conftest import BASE_URL
from tests.app.predict.deferral.parts import (
    KNOWN,
    LABELS,
    MODEL,
    figures,
    job_of,
    spec_of,
    switch_on,
)
from tests.app.predict.tiny_model import register_model
from tests.fault_server import ANSWERS, FaultServer, always, faulty

TEXTS = ["crash", "my parcel is where", "nothing known", ""]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with faulty(always(ANSWERS)) as server:
        yield server


@pytest.fixture
def client(database: Database, server: FaultServer, tmp_path: Path) -> Iterator[TestClient]:
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg] # a developer's own must not decide
        data_dir=tmp_path / "var",
        database_url=SecretStr(database.url.render_as_string(hide_password=False)),
        teacher_hosts=(f"http://{urlsplit(server.url).netloc}",),
    )
    with TestClient(create_app(settings), base_url=BASE_URL) as client:
        yield client


@pytest.fixture
def model(
    database: Database, artifacts: ArtifactStore, tiny_folder: Path, server: FaultServer
) -> ModelId:
    """The tiny model, as if made by a job whose teacher is the server."""
    found = register_model(database, artifacts, tiny_folder)
    with database.write() as session:
        job = session.get(JobRow, job_of(database, found))
        assert job is not None
        job.state = JobState.SUCCEEDED
        job.spec = spec_of(server.url)
        job.progress_detail = {PROBED: {f"{server.url} {MODEL}": KNOWN}}
    return found


def ask(client: TestClient, **body: Any) -> list[dict[str, Any]]:
    asked = {"model": "tickets", "input": TEXTS, "threshold": 0.7, "on_low_confidence": "teacher"}
    answer = client.post("/predict", json=asked | body)
    assert answer.status_code == 200, answer.json()
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def who(answers: list[dict[str, Any]]) -> list[tuple[str, str | None, bool]]:
    return [(each["answered_by"], each["deferral"], each["abstained"]) for each in answers]


class TestTheTeacher:
    def test_answers_what_the_student_is_unsure_of(
        self, client: TestClient, database: Database, model: ModelId
    ) -> None:
        switch_on(database, model, cap_calls=10)
        told = ask(client)
        assert who(told) == [
            ("student", None, False),
            ("student", None, False),
            ("teacher", "answered", False),
            ("student", "blank", True),
        ]
        assert told[2]["label"] in LABELS
        assert 0 < told[2]["score"] <= 1
        # The student's own scores are still told.
        assert told[2]["scores"][0]["score"] == pytest.approx(1 / 3)
        assert figures(database, model)[2] == 1

    def test_has_its_texts_counted_as_in_memory_while_it_thinks(
        self, client: TestClient, database: Database, model: ModelId, server: FaultServer
    ) -> None:
        switch_on(database, model, cap_calls=10)
        admission = client.app.state.serving.admission  # type: ignore[attr-defined]
        seen: list[int] = []
        server.look = lambda _: seen.append(admission._bytes)
        ask(client)
        assert min(seen) > sum(map(len, TEXTS))
        assert admission._bytes == 0

    def test_is_not_paid_twice(
        self, client: TestClient, database: Database, model: ModelId
    ) -> None:
        switch_on(database, model, cap_calls=10)
        first, second = ask(client)[2], ask(client)[2]
        assert (first["deferral"], second["deferral"]) == ("answered", "cached")
        assert first["label"] == second["label"]
        assert figures(database, model)[2] == 1

    def test_without_a_budget_left_the_students_answer_stands_and_is_marked(
        self, client: TestClient, database: Database, model: ModelId
    ) -> None:
        switch_on(database, model, cap_calls=1)
        told = ask(client, input=["nothing", "known", "crash"])
        assert sorted(who(told)[:2]) == [
            ("student", "budget", True),
            ("teacher", "answered", False),
        ]
        assert all(entry["label"] in LABELS for entry in told)

    def test_is_asked_only_where_it_was_switched_on(
        self, client: TestClient, model: ModelId, server: FaultServer
    ) -> None:
        body = {"model": "tickets", "input": TEXTS, "threshold": 0.7}
        answer = client.post("/predict", json=body | {"on_low_confidence": "teacher"})
        assert (answer.status_code, answer.json()["code"]) == (422, "deferral-off")
        assert answer.json()["errors"][0]["pointer"] == "/on_low_confidence"
        assert client.post("/predict", json=body).status_code == 200
        assert not server.asked

    def test_leaves_its_texts_to_be_learned_from(
        self, client: TestClient, database: Database, model: ModelId
    ) -> None:
        switch_on(database, model, cap_calls=10)
        kept = client.put(f"/models/{model}/kept_texts", json={"below": 0.2, "max_rows": 10})
        assert kept.status_code == 200
        ask(client)
        client.app.state.serving.keeper.close()  # type: ignore[attr-defined]
        with database.read() as session:
            page = KeptTextRepository(session).page(model, limit=10)
        assert [(row.text, row.reason) for row in page.rows] == [("nothing known", "deferred")]
