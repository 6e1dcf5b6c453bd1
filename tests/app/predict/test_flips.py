"""Aliases move and models go while clients predict: nobody is left without a true answer."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from app.main import create_app
from core.artifacts import ArtifactStore
from core.config import Settings
from core.db.session import Database
from core.ids import ModelId
from llkd.predictor import Predictor
from tests.app.predict.tiny_model import LABELS, register_model, write_tiny_model
from tests.servers import free_port

CHANGES = 200
CLIENTS = 4
# Of several lengths and labels, so that texts of other requests are welcome neighbours.
TEXTS = (
    ["crash"],
    ["invoice parcel"],
    ["parcel crash crash invoice", "crash", "nothing known", "invoice invoice"],
)
# Names and aliases that are called; `staging` comes and goes, the last one never comes.
REFERENCES = ("tickets", "tickets@champion", "tickets@staging", "tickets@nobody")
ALWAYS_THERE = REFERENCES[:2]
Scores = tuple[dict[str, float], ...]


@dataclass
class Models:
    """What there is to be called, and what each model answers when it is asked alone."""

    database: Database
    artifacts: ArtifactStore
    folder: Path
    living: list[ModelId] = field(default_factory=list)
    deleted: list[ModelId] = field(default_factory=list)
    alone: dict[ModelId, list[Scores]] = field(default_factory=dict)

    def register(self) -> ModelId:
        """One more version, whose votes no other has."""
        number = len(self.alone)
        own = self.folder / f"model-{number}"
        # Of sixteenths, whose sums are exact: neighbours in a batch could not move them even by
        # the order in which they are added.
        votes = {
            "invoice": (1.0 + number / 16, 0.0, 0.125),
            "crash": (0.0, 2.0 + number / 16, 0.0),
            "parcel": (0.25, 0.0, 3.0 - number / 16),
        }
        predictor = Predictor.load(write_tiny_model(own, votes=votes))
        answers = [_scores(predictor.classify(texts).probabilities) for texts in TEXTS]
        model_id = register_model(self.database, self.artifacts, own)
        self.alone[model_id] = answers
        self.living.append(model_id)
        return model_id


@dataclass(frozen=True)
class Answer:
    """What came for one of TEXTS."""

    reference: str
    place: int
    model: ModelId
    scores: Scores


@dataclass
class Client:
    """Asks for one reference after another until it is stopped, and keeps what came."""

    address: str
    models: Models
    first: int
    stopped: threading.Event
    statuses: Counter[int] = field(default_factory=Counter)
    answers: list[Answer] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def run(self) -> None:
        with httpx.Client(base_url=self.address, timeout=30) as http:
            turn = self.first
            while not self.stopped.is_set():
                self._ask(http, turn)
                turn += 1

    def _ask(self, http: httpx.Client, turn: int) -> None:
        # Names, ids that are alive, the first and the last that were deleted, in turn.
        deleted = self.models.deleted
        ids = [*self.models.living[-2:], *deleted[:1], *deleted[-1:]]
        called = [*REFERENCES, *ids]
        reference, place = called[turn % len(called)], turn % len(TEXTS)
        answer = http.post("/predict", json={"model": reference, "input": TEXTS[place]})
        if answer.status_code == 200:
            told = answer.json()
            scores = tuple(
                {each["label"]: each["score"] for each in entry["scores"]} for entry in told["data"]
            )
            self.answers.append(Answer(reference, place, told["model"], scores))
        elif reference in ALWAYS_THERE or answer.status_code not in {404, 410}:
            self.failures.append(f"{reference}: {answer.status_code} {answer.text}")
        self.statuses[answer.status_code] += 1


class TestFlips:
    def test_every_answer_is_that_of_the_model_it_names(
        self, settings: Settings, database: Database, tmp_path: Path
    ) -> None:
        models = Models(database, ArtifactStore(settings.data_dir / "artifacts"), tmp_path)
        for _ in range(3):
            models.register()
        with _serving(settings) as address, httpx.Client(base_url=address, timeout=30) as http:
            _point(http, "champion", models.living[0])
            stopped = threading.Event()
            clients = [Client(address, models, first, stopped) for first in range(CLIENTS)]
            threads = [threading.Thread(target=client.run) for client in clients]
            for thread in threads:
                thread.start()
            try:
                changed = _change(http, models, clients)
            finally:
                stopped.set()
                for thread in threads:
                    thread.join()
            _settle(http, models)
        assert [failure for client in clients for failure in client.failures] == []
        answers = [answer for client in clients for answer in client.answers]
        assert [
            each for each in answers if each.scores != models.alone[each.model][each.place]
        ] == []
        by_id = [each for each in answers if each.reference.startswith("model_")]
        assert [each for each in by_id if each.model != each.reference] == []
        # All of it happened: every change, answers of many models, and questions to models and
        # aliases that had gone.
        assert changed == dict.fromkeys(("moved", "registered", "staged", "deleted"), CHANGES // 4)
        statuses = sum((client.statuses for client in clients), Counter[int]())
        assert set(statuses) == {200, 404, 410}
        assert len({each.model for each in answers}) > CHANGES // 20


def _change(http: httpx.Client, models: Models, clients: Sequence[Client]) -> Mapping[str, int]:
    """Move aliases, register and delete, each of it answered well; returns how often."""
    changed: Counter[str] = Counter()
    for turn in range(CHANGES):
        _wait_for_answers(clients, turn)
        is_odd = turn // 4 % 2
        match turn % 4:
            case 0:
                models.register()
                changed["registered"] += 1
            case 1:
                # Not to the model that goes in two turns.
                _point(http, "champion", models.living[-1 - is_odd])
                changed["moved"] += 1
            case 2:
                if is_odd:
                    answer = http.delete("/models/tickets/aliases/staging")
                    assert answer.status_code == 204, answer.text
                else:
                    _point(http, "staging", models.living[-1])
                changed["staged"] += 1
            case _:
                # The oldest, or the newest, from which `latest` falls back.
                gone = models.living.pop(-1 if is_odd else 0)
                models.deleted.append(gone)
                answer = http.delete(f"/models/{gone}")
                assert answer.status_code == 204, answer.text
                changed["deleted"] += 1
    return changed


def _settle(http: httpx.Client, models: Models) -> None:
    """Wait until nothing that was moved or deleted is answered as it was before."""
    expected: dict[str, tuple[int, ModelId | None]] = {
        "tickets": (200, models.living[-1]),
        "tickets@champion": (200, models.living[-1]),
        "tickets@staging": (404, None),
    }
    for model_id in models.living:
        expected[model_id] = (200, model_id)
    for model_id in models.deleted[-3:]:
        expected[model_id] = (410, None)
    for reference, (status, named) in expected.items():
        deadline = time.monotonic() + 30
        while True:
            answer = http.post("/predict", json={"model": reference, "input": "crash"})
            is_right = answer.json().get("model") == named
            if answer.status_code == status and is_right:
                break
            assert time.monotonic() < deadline, (reference, answer.text)
            time.sleep(0.05)


def _wait_for_answers(clients: Sequence[Client], turn: int) -> None:
    """Let clients get two answers a change, so that changes and answers are mixed throughout."""
    deadline = time.monotonic() + 30
    while sum(client.statuses.total() for client in clients) < 2 * turn:
        assert time.monotonic() < deadline, "nobody is answered any more"
        time.sleep(0.001)


def _point(http: httpx.Client, alias: str, model_id: ModelId) -> None:
    answer = http.put(f"/models/tickets/aliases/{alias}", json={"model_id": model_id})
    assert answer.status_code in {200, 201}, answer.text


def _scores(probabilities: Any) -> Scores:
    return tuple(dict(zip(LABELS, row, strict=True)) for row in probabilities.tolist())


@contextmanager
def _serving(settings: Settings) -> Iterator[str]:
    """The service behind a real server on a free port."""
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings), host="127.0.0.1", port=port, http="h11", log_config=None
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while not server.started:
            assert time.monotonic() < deadline
            assert thread.is_alive()
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
