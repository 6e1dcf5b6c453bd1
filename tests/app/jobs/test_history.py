"""A training is told while it goes and afterwards: its curve, and the map of its selection."""

import itertools
from collections.abc import Iterable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.jobs.history_schemas import TrainingHistoryRead
from core.artifacts import ArtifactStore
from core.db.repositories.histories import HistoryRepository
from core.db.session import Database
from core.db.tables import JobRow, SelectionFrameRow, TrainingPointRow
from core.ids import DatasetId, JobId, TenantId
from core.lifecycle import JobState, Purpose, Stage
from tests.app.jobs.parts import LABELS, TEXTS, TRAIN_OUTPUT, add_job, finish_stages, store_dataset
from tests.factories import make_selection_frame, make_stage, make_training_point

Json = dict[str, Any]
KINDS = ("training", "selection")


def ask(client: TestClient, job_id: str, kind: str, **asked: Any) -> Any:
    return client.get(f"/jobs/{job_id}/{kind}", params=asked)


def told(client: TestClient, job_id: str, kind: str, **asked: Any) -> Json:
    answer = ask(client, job_id, kind, **asked)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def record(
    database: Database,
    job_id: JobId,
    points: Iterable[Json] = ({},),
    frames: Iterable[Json] = ({},),
    *,
    candidate: int = 0,
) -> None:
    place = {"job_id": job_id, "candidate": candidate}
    with database.write() as session:
        histories = HistoryRepository(session)
        histories.add(TrainingPointRow, [make_training_point(**place, **each) for each in points])
        histories.add(SelectionFrameRow, [make_selection_frame(**place, **each) for each in frames])


@pytest.fixture
def job_id(database: Database, dataset_id: DatasetId) -> JobId:
    """A running job, on forty texts."""
    return add_job(database, state=JobState.RUNNING, dataset_id=dataset_id)


class TestTraining:
    def test_a_point_tells_what_came_since_the_point_before(
        self, client: TestClient, database: Database, job_id: JobId
    ) -> None:
        record(
            database,
            job_id,
            [
                {"number": 0, "seen": 32, "kept": 8},
                {"number": 1, "seen": 64, "kept": 24, "step": 2, "loss_sum": 3.0, "seconds": 1.5},
                {"number": 2, "seen": 96, "kept": 24, "step": 2, "loss_sum": 3.0}
                | {"looks": 1, "held_out_score": 0.5},
                {"number": 3, "seen": 128, "kept": 56, "step": 3, "loss_sum": 3.5, "epoch": 1}
                | {"looks": 1, "held_out_score": 0.5},
            ],
        )
        points = told(client, job_id, "training")["points"]
        assert [point["loss"] for point in points] == [None, 1.5, None, 0.5]
        assert [point["selected_fraction"] for point in points] == [0.25, 0.5, 0.0, 1.0]
        assert [point["held_out_score"] for point in points] == [None, None, 0.5, None]
        assert [point["step"] for point in points] == [0, 2, 2, 3]
        assert [point["epoch"] for point in points] == [0, 0, 0, 1]
        assert points[1]["seconds"] == 1.5
        assert points[1]["thresholds"] == {"confidence": [0.9, 0.8], "uncertainty": [0.3, 0.4]}

    def test_it_names_the_job_its_labels_and_that_more_is_to_come(
        self, client: TestClient, database: Database, job_id: JobId
    ) -> None:
        record(database, job_id)
        found = told(client, job_id, "training")
        TrainingHistoryRead.model_validate(found)
        del found["points"]
        assert found == {
            "object": "training_history",
            "job_id": job_id,
            "labels": list(LABELS),
            "candidate": 0,
            "candidates": 1,
            "ended": False,
        }

    @pytest.mark.parametrize("most", [1, 2, 3, 7, 10, 2000])
    def test_of_more_points_than_asked_for_an_even_draw_ends_with_the_last(
        self, client: TestClient, database: Database, job_id: JobId, most: int
    ) -> None:
        points = [
            {"number": n, "seen": 32 * (n + 1), "step": n + 1, "loss_sum": 2.0 * (n + 1)}
            for n in range(10)
        ]
        record(database, job_id, points)
        found = told(client, job_id, "training", points=most)["points"]
        steps = [point["step"] for point in found]
        assert len(steps) == min(most, 10)
        assert steps[-1] == 10
        gaps = [later - earlier for earlier, later in itertools.pairwise(steps)]
        assert max(gaps, default=0) - min(gaps, default=0) <= 1
        assert {point["loss"] for point in found} == {2.0}

    def test_a_selection_without_thresholds_tells_none(
        self, client: TestClient, database: Database, job_id: JobId
    ) -> None:
        none = {"confidence": None, "uncertainty": None}
        record(database, job_id, [{"thresholds": none}])
        assert told(client, job_id, "training")["points"][0]["thresholds"] == none


class TestSelection:
    def test_the_newest_frame_comes_with_its_texts(
        self, client: TestClient, database: Database, job_id: JobId
    ) -> None:
        record(database, job_id, frames=[{"number": 0}, {"number": 4, "step": 2, "epoch": 1}])
        found = told(client, job_id, "selection")
        assert found["object"] == "selection_map"
        assert found["frames"] == [
            {"number": 0, "step": 0, "epoch": 0},
            {"number": 4, "step": 2, "epoch": 1},
        ]
        frame = found["frame"]
        assert (frame["number"], frame["seen"], frame["kept"]) == (4, 2, 1)
        assert sum(frame["quadrants"].values()) == 2
        assert frame["points"] == [
            {"index": 3, "label": "billing", "confidence": 0.95, "uncertainty": 0.5}
            | {"kept": True, "text": TEXTS[3]},
            {"index": 7, "label": "tech", "confidence": 0.6, "uncertainty": 0.1}
            | {"kept": False, "text": TEXTS[7]},
        ]

    @pytest.mark.parametrize(("asked", "number"), [("0", 0), ("4", 4), ("6", 4), ("9" * 12, 8)])
    def test_a_frame_that_was_left_out_since_is_the_one_before_it(
        self, client: TestClient, database: Database, job_id: JobId, asked: str, number: int
    ) -> None:
        record(database, job_id, frames=[{"number": n} for n in (0, 4, 8)])
        assert told(client, job_id, "selection", frame=asked)["frame"]["number"] == number

    def test_what_nothing_is_known_of_is_null(
        self, client: TestClient, database: Database, job_id: JobId
    ) -> None:
        points = {"index": [0], "label": [1], "confidence": [None], "uncertainty": [None]}
        record(database, job_id, frames=[{"points": points | {"kept": [True]}}])
        [point] = told(client, job_id, "selection")["frame"]["points"]
        assert (point["confidence"], point["uncertainty"]) == (None, None)

    def test_of_a_text_its_first_200_characters_are_shown(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        texts = ["é" * 500 + str(place) for place in range(40)]
        dataset_id = store_dataset(database, artifacts, texts=texts)
        job_id = add_job(database, state=JobState.RUNNING, dataset_id=dataset_id)
        record(database, job_id)
        shown = told(client, job_id, "selection")["frame"]["points"]
        assert [point["text"] for point in shown] == ["é" * 200, "é" * 200]

    def test_without_the_dataset_the_figures_stay_and_the_texts_are_gone(
        self, client: TestClient, database: Database, dataset_id: DatasetId
    ) -> None:
        job_id = add_job(database, state=JobState.FAILED, dataset_id=dataset_id)
        record(database, job_id)
        assert client.delete(f"/datasets/{dataset_id}").status_code == 204
        shown = told(client, job_id, "selection")["frame"]["points"]
        assert [(point["index"], point["text"]) for point in shown] == [(3, None), (7, None)]

    @pytest.mark.parametrize("frame", ["-1", "newest", "", "1" * 13])
    def test_a_frame_that_cannot_be_is_refused(
        self, client: TestClient, database: Database, job_id: JobId, frame: str
    ) -> None:
        record(database, job_id)
        assert ask(client, job_id, "selection", frame=frame).status_code == 422


@pytest.mark.parametrize("kind", KINDS)
class TestBoth:
    def test_before_the_first_batch_there_is_nothing_yet(
        self, client: TestClient, job_id: JobId, kind: str
    ) -> None:
        answer = ask(client, job_id, kind)
        assert answer.status_code == 409
        assert answer.json()["code"] == "training-not-begun"

    @pytest.mark.parametrize(
        "given",
        [
            {"state": JobState.FAILED},
            {"state": JobState.RUNNING, "purpose": Purpose.PILOT.value},
        ],
        ids=["ended_before", "trains_nothing"],
    )
    def test_where_none_will_be_asking_again_is_of_no_use(
        self, client: TestClient, database: Database, kind: str, given: Json
    ) -> None:
        answer = ask(client, add_job(database, **given), kind)
        assert answer.status_code == 409
        assert answer.json()["code"] == "no-result"

    def test_so_it_is_of_a_job_that_an_earlier_release_trained(
        self, client: TestClient, database: Database, kind: str
    ) -> None:
        job_id = add_job(database)
        finish_stages(database, job_id, {Stage.TRAIN: TRAIN_OUTPUT})
        assert ask(client, job_id, kind).json()["code"] == "no-result"

    def test_another_tenants_job_is_unknown(
        self, client: TestClient, database: Database, kind: str
    ) -> None:
        job_id = add_job(database, tenant_id=TenantId("other"))
        assert ask(client, job_id, kind).status_code == 404

    def test_a_training_that_broke_off_keeps_what_it_had(
        self, client: TestClient, database: Database, dataset_id: DatasetId, kind: str
    ) -> None:
        job_id = add_job(database, state=JobState.CANCELLED, dataset_id=dataset_id)
        record(database, job_id)
        assert told(client, job_id, kind)["ended"] is True

    def test_while_several_are_trained_the_newest_is_told_and_the_first_has_ended(
        self, client: TestClient, database: Database, job_id: JobId, kind: str
    ) -> None:
        for candidate in range(2):
            record(database, job_id, candidate=candidate)
        newest, first = told(client, job_id, kind), told(client, job_id, kind, candidate=0)
        assert (newest["candidate"], newest["candidates"], newest["ended"]) == (1, 2, False)
        assert (first["candidate"], first["candidates"], first["ended"]) == (0, 2, True)

    def test_afterwards_it_is_the_one_that_was_kept(
        self, client: TestClient, database: Database, dataset_id: DatasetId, kind: str
    ) -> None:
        job_id = add_job(database, state=JobState.RUNNING, dataset_id=dataset_id)
        for candidate in range(3):
            record(database, job_id, candidate=candidate)
        tried = [{"chosen": place == 1} for place in range(3)]
        with database.write() as session:
            job = session.get_one(JobRow, job_id)
            make_stage(session, job, Stage.TRAIN, **TRAIN_OUTPUT | {"candidates": tried})
        found = told(client, job_id, kind)
        assert (found["candidate"], found["ended"]) == (1, True)

    def test_a_candidate_that_is_not_there_is_not_found(
        self, client: TestClient, database: Database, job_id: JobId, kind: str
    ) -> None:
        record(database, job_id)
        assert ask(client, job_id, kind, candidate=1).status_code == 404
        assert ask(client, job_id, kind, candidate=16).status_code == 422
