"""POST /jobs with `corrections`: a person's labels in the place of a teacher's answers."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.jobs import corrections
from core.artifacts import ArtifactStore
from core.db.base import db_now
from core.db.repositories.stages import StageRepository
from core.db.session import Database
from core.db.tables import DatasetRow
from core.ids import DatasetId, JobId
from core.label_files import PERSON, UNASKED, LabelEntry, Role, read_roles
from core.lifecycle import Stage
from tests.app.jobs.parts import (
    TRAIN_OUTPUT,
    Json,
    answered,
    evaluate_output,
    finish_stages,
    job_body,
    label_output,
)

PERSONS = LabelEntry(
    Role.TRAIN, "answered", label="billing", confidence=1.0, confidence_source=PERSON
)
ENTRIES = [
    *[answered("tech", 0.9)] * 34,
    LabelEntry(Role.EVALUATION, "answered", label="tech", confidence=0.9),
    LabelEntry(Role.CERTIFICATION, "answered", label="tech", confidence=0.9),
    LabelEntry(Role.EXCLUDED, UNASKED),
    LabelEntry(Role.TRAIN, UNASKED),
    LabelEntry(Role.TRAIN, "refused"),
    PERSONS,
]


@pytest.fixture
def base(
    client: TestClient, dataset_id: DatasetId, database: Database, artifacts: ArtifactStore
) -> str:
    """A job of forty texts whose labels are there."""
    job_id: str = client.post("/jobs", json=job_body(dataset_id)).json()["id"]
    output = label_output(artifacts, ENTRIES)
    finish_stages(database, JobId(job_id), {Stage.LABEL: output})
    return job_id


def replayed(client: TestClient, base: str, *corrections: Json, **changes: Any) -> Any:
    body = {"from_job": base, "corrections": list(corrections), **changes}
    return client.post("/jobs", json=body)


def correction(index: int, label: str = "billing") -> Json:
    return {"index": index, "label": label}


class TestAsking:
    def test_they_are_part_of_what_was_asked_as_the_job_spells_its_labels(
        self, client: TestClient, base: str
    ) -> None:
        answer = replayed(client, base, correction(3, "BILLING"), correction(0, "tech"))
        assert answer.status_code == 202
        asked = answer.json()["request"]
        assert asked["corrections"] == [correction(3, "billing"), correction(0, "tech")]
        # The request asks for the same again.
        assert client.post("/jobs", json=asked).json()["request"] == asked

    def test_texts_without_a_teachers_label_may_get_one(
        self, client: TestClient, base: str
    ) -> None:
        """Beyond the budget, refused, or corrected before."""
        assert replayed(client, base, *map(correction, (37, 38, 39))).status_code == 202

    def test_without_any_the_request_is_as_it_was(self, client: TestClient, base: str) -> None:
        assert replayed(client, base).json()["request"]["corrections"] == []

    def test_a_key_that_came_with_others_is_another_request(
        self, client: TestClient, base: str
    ) -> None:
        def ask(*corrections: Json) -> Any:
            body = {"from_job": base, "corrections": list(corrections)}
            return client.post("/jobs", json=body, headers={"Idempotency-Key": "k1"})

        first = ask(correction(3))
        assert ask(correction(3)).json()["id"] == first.json()["id"]
        assert ask(correction(4)).status_code == 422

    def test_a_retry_has_them_too(self, client: TestClient, base: str, database: Database) -> None:
        job_id = replayed(client, base, correction(3)).json()["id"]
        client.post(f"/jobs/{job_id}/cancel")
        again = client.post(f"/jobs/{job_id}/retry")
        assert again.status_code == 202, again.json()
        assert again.json()["request"]["corrections"] == [correction(3)]

    def test_a_job_of_its_own_has_nothing_to_correct(
        self, client: TestClient, dataset_id: DatasetId
    ) -> None:
        answer = client.post("/jobs", json=job_body(dataset_id, corrections=[correction(3)]))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/corrections"


class TestRefusing:
    @pytest.mark.parametrize(
        ("index", "code"),
        [
            (40, "out-of-range"),
            (34, "not-trained-on"),
            (35, "not-trained-on"),
            (36, "not-trained-on"),
        ],
    )
    def test_only_texts_to_train_on_are_corrected(
        self, client: TestClient, base: str, index: int, code: str
    ) -> None:
        """What measures or certifies is about the teacher, and stays as it is."""
        answer = replayed(client, base, correction(0), correction(index))
        assert (answer.status_code, answer.json()["code"]) == (422, "validation-error")
        (error,) = answer.json()["errors"]
        assert (error["pointer"], error["code"]) == ("/corrections/1/index", code)
        assert str(index) in error["message"]

    def test_every_fault_is_named(self, client: TestClient, base: str) -> None:
        answer = replayed(
            client, base, correction(1), correction(1), correction(99, "nobody"), correction(2)
        )
        errors = {each["pointer"]: each["code"] for each in answer.json()["errors"]}
        assert errors == {
            "/corrections/1/index": "duplicate-index",
            "/corrections/2/index": "out-of-range",
            "/corrections/2/label": "unknown-label",
        }
        assert answer.json()["detail"].startswith("2 of 4 corrections")

    @pytest.mark.parametrize(
        ("corrections", "pointer"),
        [
            ([correction(-1)], "/corrections/0/index"),
            ([{"index": "3", "label": "tech"}], "/corrections/0/index"),
            ([{"index": 3}], "/corrections/0/label"),
            ([{"index": 3, "label": "tech", "sure": True}], "/corrections/0/sure"),
            ([correction(place) for place in range(1001)], "/corrections"),
        ],
    )
    def test_what_is_no_correction_is_refused(
        self, client: TestClient, base: str, corrections: list[Json], pointer: str
    ) -> None:
        answer = replayed(client, base, *corrections)
        assert answer.status_code == 422
        assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


class TestReading:
    @pytest.mark.parametrize("path", ["/jobs", "/jobs/estimate"])
    def test_no_transaction_is_open_while_the_answers_are_read(
        self, client: TestClient, base: str, monkeypatch: pytest.MonkeyPatch, path: str
    ) -> None:
        pool = client.app.state.database.engine.pool  # type: ignore[attr-defined]
        open_then = []

        def read(labels: Path, indices: Collection[int]) -> dict[int, Role]:
            open_then.append(pool.checkedout())
            return read_roles(labels, indices)

        monkeypatch.setattr(corrections, "read_roles", read)
        body = {"from_job": base, "corrections": [correction(3)]}
        assert client.post(path, json=body).status_code in {200, 202}
        assert open_then == [0]


class TestTelling:
    def test_a_persons_label_is_told_as_one(self, client: TestClient, base: str) -> None:
        page = client.get(f"/jobs/{base}/labels").json()
        by = [each["labelled_by"] for each in page["data"]]
        assert by == ["teacher"] * 36 + [None] * 3 + ["person"]
        last = page["data"][39]
        assert (last["confidence"], last["confidence_source"]) == (1.0, "person")
        exported = client.get(f"/jobs/{base}/labels", params={"format": "csv"}).text
        assert exported.splitlines()[0].endswith(",labelled_by,probabilities")
        assert exported.splitlines()[-1].endswith(",person,null")

    def test_the_report_counts_them(
        self,
        client: TestClient,
        base: str,
        database: Database,
        artifacts: ArtifactStore,
    ) -> None:
        job_id = replayed(client, base, correction(3)).json()["id"]
        told = {"rows": 2, "given": 1, "changed": 1}
        outputs = {
            Stage.LABEL: label_output(artifacts, ENTRIES) | {"corrections": told},
            Stage.TRAIN: TRAIN_OUTPUT,
            Stage.EVALUATE: evaluate_output(with_gold=False),
        }
        finish_stages(database, JobId(job_id), outputs)
        assert client.get(f"/jobs/{job_id}/report").json()["corrections"] == told


class TestEstimating:
    def test_a_replay_asks_nobody(self, client: TestClient, base: str) -> None:
        body = {"from_job": base, "corrections": [correction(3)], "selection": {"kind": "all"}}
        answer = client.post("/jobs/estimate", json=body)
        assert answer.status_code == 200, answer.json()
        told = answer.json()
        assert told["rows"] == 40
        for nothing in ("teacher_calls", "tokens", "cost_usd"):
            assert set(told[nothing].values()) == {0}
        assert told["steps"]["high"] > 0
        assert client.get("/jobs").json()["data"][0]["id"] == base

    def test_corrections_are_checked_as_they_would_be(self, client: TestClient, base: str) -> None:
        body = {"from_job": base, "corrections": [correction(40)]}
        answer = client.post("/jobs/estimate", json=body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/corrections/0/index"

    def test_answers_that_went_with_their_dataset_are_gone(
        self,
        client: TestClient,
        base: str,
        dataset_id: DatasetId,
        database: Database,
        artifacts: ArtifactStore,
    ) -> None:
        with database.write() as session:
            dataset = session.get(DatasetRow, dataset_id)
            assert dataset is not None
            dataset.deleted_at = db_now()
            labels = StageRepository(session).get(JobId(base))[Stage.LABEL].output["labels"]
        artifacts.path(labels).unlink()
        body = {"from_job": base, "corrections": [correction(3)]}
        for path in ("/jobs", "/jobs/estimate"):
            answer = client.post(path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (410, "gone")

    def test_a_pilot_of_it_would_buy_what_is_there(self, client: TestClient, base: str) -> None:
        answer = client.post("/jobs/estimate", json={"from_job": base, "pilot": True})
        assert answer.status_code == 422
