"""What of a training is kept is little, the same after a break, and nobody's but its attempt's."""

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from core.db.repositories.claims import Claim, GhostWorker
from core.db.repositories.histories import HistoryRepository
from core.db.session import Database
from core.db.tables import JobRow, SelectionFrameRow
from core.ids import JobId
from core.lifecycle import JobState
from llkd.distiller import TrainingReport
from llkd.selection.base import Batch
from llkd.training_state import TrainingState
from tests.factories import make_job
from worker import history as written
from worker.book import JobBook
from worker.history import TrainingHistory
from worker.protocol import Json

CLASSES = 2
POOL = 40
THRESHOLDS = {"teacher": {"by_class": [0.5, 0.123456789]}, "student": {"by_class": [0.5, 0.5]}}


@pytest.fixture
def claim(sqlite_database: Database) -> Claim:
    with sqlite_database.write() as session:
        return Claim(make_job(session, state=JobState.RUNNING).id, 1)


def begin(
    database: Database, claim: Claim, *, number: int = 0, class_count: int = CLASSES, candidate=0
) -> TrainingHistory:
    return TrainingHistory(
        JobBook(database, claim),
        candidate=candidate,
        rows=np.arange(POOL) * 10,
        class_count=class_count,
        number=number,
    )


def make_report(number: int = 0, *, texts: int = 4, stopped: str | None = None, **given: Any):
    """The report of the number-th batch: half of its texts are kept."""
    generator = np.random.default_rng(number)
    state = TrainingState.start(POOL)
    state.loss_sum = number / 2
    state.looks = [(step, 0.5) for step in range(number // 4)]
    values: Json = {
        "step": number,
        "epoch": number // 10,
        "fraction": 0.5,
        "loss": 0.5,
        "selected": 0.5,
        "unique_used": 3,
        "counters": {"seen": 4 * (number + 1), "kept": 2 * (number + 1)},
        "batch": Batch(
            generator.integers(POOL, size=texts),
            generator.integers(CLASSES, size=texts),
            generator.uniform(size=texts),
            generator.uniform(size=texts),
        ),
        "kept": np.arange(texts) % 2 == 0,
        "thresholds": THRESHOLDS,
        "held_out_score": None,
        "best_score": None,
        "stopped": stopped,
        "state": state,
    }
    return TrainingReport(**values | given)


def observe(history: TrainingHistory, numbers: Sequence[int], *, last: int | None = None) -> None:
    for number in numbers:
        stopped = "finished" if number == last else None
        history.observe(make_report(number, stopped=stopped), number=number)


def points(database: Database, job_id: JobId) -> list[Json]:
    """All that is kept of the curve but the time that it took."""
    with database.read() as session:
        histories = HistoryRepository(session)
        rows = histories.points(job_id, 0, numbers=histories.point_numbers(job_id, 0))
        return [
            row._asdict() | {"seconds": None, "thresholds": json.loads(row.thresholds)}
            for row in rows
        ]


def frames(database: Database, job_id: JobId) -> list[Json]:
    with database.read() as session:
        histories = HistoryRepository(session)
        places = histories.frame_places(job_id, 0)
        rows = [histories.frame(job_id, 0, number=place["number"]) for place in places]
        return [_content(row) for row in rows if row is not None]


def _content(row: SelectionFrameRow) -> Json:
    return {c.key: getattr(row, c.key) for c in row.__table__.columns if c.key != "job_id"}


class TestAFrame:
    def test_it_has_the_batch_as_the_selector_saw_it(
        self, sqlite_database: Database, claim: Claim
    ) -> None:
        batch = Batch(
            np.array([7, 2]), np.array([1, 0]), np.array([0.987654321, np.nan]), np.array([0.2, 1])
        )
        report = make_report(batch=batch, kept=np.array([False, True]))
        begin(sqlite_database, claim).observe(report, number=0)
        [frame] = frames(sqlite_database, claim.job_id)
        assert frame["points"] == {
            "index": [70, 20],
            "label": [1, 0],
            "confidence": [0.98765, None],
            "uncertainty": [0.2, 1.0],
            "kept": [False, True],
        }
        assert frame["thresholds"] == {"confidence": [0.5, 0.12346], "uncertainty": [0.5, 0.5]}
        assert (frame["seen"], frame["kept"]) == (2, 1)
        assert frame["quadrants"]["confident_certain"] == 1
        assert frame["quadrants"]["confident_uncertain"] == 1

    def test_of_a_large_batch_some_texts_stand_for_all_that_are_counted(
        self, sqlite_database: Database, claim: Claim
    ) -> None:
        begin(sqlite_database, claim).observe(make_report(texts=1000), number=0)
        [frame] = frames(sqlite_database, claim.job_id)
        assert len(frame["points"]["index"]) == written.MOST_TEXTS
        assert frame["seen"] == sum(frame["quadrants"].values()) == 1000
        assert frame["kept"] == 500

    def test_a_selector_without_thresholds_has_none(
        self, sqlite_database: Database, claim: Claim
    ) -> None:
        begin(sqlite_database, claim).observe(make_report(thresholds={}), number=0)
        none = {"confidence": None, "uncertainty": None}
        assert frames(sqlite_database, claim.job_id)[0]["thresholds"] == none
        assert points(sqlite_database, claim.job_id)[0]["thresholds"] == none


class TestALongTraining:
    @pytest.mark.parametrize("batches", [3, 8, 9, 100, 129])
    def test_it_keeps_the_first_the_last_and_an_even_share_of_the_others(
        self, sqlite_database: Database, claim: Claim, monkeypatch: pytest.MonkeyPatch, batches: int
    ) -> None:
        monkeypatch.setattr(written, "MOST_FRAMES", 8)
        observe(begin(sqlite_database, claim), range(batches), last=batches - 1)
        numbers = [frame["number"] for frame in frames(sqlite_database, claim.job_id)]
        assert numbers[0] == 0
        assert numbers[-1] == batches - 1
        assert len(numbers) <= 8 + 1
        assert len(numbers) >= min(batches, 4)
        assert len({later - earlier for earlier, later in pairwise(numbers[:-1])}) <= 1

    def test_however_seldom_it_is_written_it_keeps_the_same(
        self, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(written, "MOST_FRAMES", 8)
        monkeypatch.setattr(written, "FEWEST_POINTS", 16)
        monkeypatch.setattr(written, "MOST_POINTS", 16)
        kept = []
        for share in (1e9, 1e-9):
            monkeypatch.setattr(written, "WRITE_EVERY_S", 0.0)
            monkeypatch.setattr(written, "WRITING_SHARE", share)
            with sqlite_database.write() as session:
                job_id = make_job(session, state=JobState.RUNNING).id
            observe(begin(sqlite_database, Claim(job_id, 1)), range(101), last=100)
            kept.append((points(sqlite_database, job_id), frames(sqlite_database, job_id)))
        assert kept[0] == kept[1]
        assert [point["number"] for point in kept[0][0]] == [*range(0, 101, 8), 100]

    def test_with_many_labels_its_curve_has_fewer_points(
        self, sqlite_database: Database, claim: Claim, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(written, "MOST_THRESHOLDS", 100)
        monkeypatch.setattr(written, "FEWEST_POINTS", 4)
        many = {"teacher": {"by_class": [0.5] * 20}}
        history = begin(sqlite_database, claim, class_count=20)
        for number in range(40):
            report = make_report(
                number, thresholds=many, stopped="finished" if number == 39 else None
            )
            history.observe(report, number=number)
        history.write()
        assert len(points(sqlite_database, claim.job_id)) <= 5 + 1

    def test_what_waits_to_be_written_is_little_too(
        self, sqlite_database: Database, claim: Claim, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(written, "MOST_FRAMES", 8)
        monkeypatch.setattr(written, "WRITE_EVERY_S", 1e9)
        history = begin(sqlite_database, claim)
        observe(history, range(1000))
        assert len(history._frames._waiting) <= 8


class TestAfterABreak:
    @pytest.mark.parametrize(("saved", "reached"), [(0, 3), (5, 6), (20, 70), (64, 99)])
    def test_it_ends_as_if_there_had_been_none(
        self,
        sqlite_database: Database,
        monkeypatch: pytest.MonkeyPatch,
        saved: int,
        reached: int,
    ) -> None:
        monkeypatch.setattr(written, "MOST_FRAMES", 8)
        kept = []
        for broken in (False, True):
            with sqlite_database.write() as session:
                job_id = make_job(session, state=JobState.RUNNING).id
            claim = Claim(job_id, 1)
            if broken:
                first = begin(sqlite_database, claim)
                observe(first, range(saved))
                first.write()
                observe(first, range(saved, reached))
                first.write()
                observe(begin(sqlite_database, claim, number=saved), range(saved, 100), last=99)
            else:
                observe(begin(sqlite_database, claim), range(100), last=99)
            kept.append((points(sqlite_database, job_id), frames(sqlite_database, job_id)))
        assert kept[0] == kept[1]

    def test_what_comes_again_is_not_there_meanwhile(
        self, sqlite_database: Database, claim: Claim
    ) -> None:
        observe(begin(sqlite_database, claim), range(6), last=5)
        begin(sqlite_database, claim, number=2)
        assert [p["number"] for p in points(sqlite_database, claim.job_id)] == [0, 1]

    def test_its_time_goes_on_from_the_last_point(
        self, sqlite_database: Database, claim: Claim, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = iter(float(second) for second in range(0, 10_000, 100))
        monkeypatch.setattr("worker.history.time.monotonic", lambda: next(clock))
        observe(begin(sqlite_database, claim), [0], last=0)
        observe(begin(sqlite_database, claim, number=1), [1], last=1)
        with sqlite_database.read() as session:
            rows = HistoryRepository(session).points(claim.job_id, 0, numbers=[0, 1])
        assert [row.seconds for row in rows] == [100.0, 200.0]


class TestAGhost:
    def test_it_neither_adds_nor_takes_back(self, sqlite_database: Database, claim: Claim) -> None:
        history = begin(sqlite_database, claim)
        observe(history, [0], last=0)
        with sqlite_database.write() as session:
            session.get_one(JobRow, claim.job_id).attempt = 2
        with pytest.raises(GhostWorker):
            observe(history, [1], last=1)
        with pytest.raises(GhostWorker):
            begin(sqlite_database, claim)
        assert [p["number"] for p in points(sqlite_database, claim.job_id)] == [0]
