"""A training's history is thinned out, taken back, and read in order."""

from collections.abc import Iterable
from typing import Any

import pytest

from core.db.repositories.histories import HistoryRepository
from core.db.session import Database
from core.db.tables import SelectionFrameRow, TrainingPointRow
from core.ids import JobId
from core.lifecycle import JobState
from tests.factories import make_job, make_selection_frame, make_training_point


@pytest.fixture
def job_id(database: Database) -> JobId:
    with database.write() as session:
        return make_job(session, state=JobState.RUNNING).id


def record(
    database: Database, job_id: JobId, numbers: Iterable[int], *, candidate: int = 0, **given: Any
) -> None:
    places = [{"job_id": job_id, "candidate": candidate, "number": n} for n in numbers]
    with database.write() as session:
        histories = HistoryRepository(session)
        histories.add(TrainingPointRow, [make_training_point(**each, **given) for each in places])
        histories.add(SelectionFrameRow, [make_selection_frame(**each) for each in places])


def left(database: Database, job_id: JobId, *, candidate: int = 0) -> tuple[list[int], list[int]]:
    """The numbers of the points and of the frames."""
    with database.read() as session:
        histories = HistoryRepository(session)
        frames = histories.frame_places(job_id, candidate)
        return list(histories.point_numbers(job_id, candidate)), [f["number"] for f in frames]


class TestRewind:
    def test_a_batch_and_all_after_it_are_forgotten(
        self, database: Database, job_id: JobId
    ) -> None:
        record(database, job_id, range(6))
        record(database, job_id, range(3), candidate=1)
        with database.write() as session:
            HistoryRepository(session).rewind(job_id, 0, number=4)
        assert left(database, job_id) == ([0, 1, 2, 3], [0, 1, 2, 3])
        assert left(database, job_id, candidate=1) == ([], [])

    def test_candidates_before_it_and_other_jobs_stay(
        self, database: Database, job_id: JobId
    ) -> None:
        with database.write() as session:
            other = make_job(session, state=JobState.RUNNING).id
        for each, candidate in ((job_id, 0), (job_id, 1), (other, 1)):
            record(database, each, range(2), candidate=candidate)
        with database.write() as session:
            HistoryRepository(session).rewind(job_id, 1, number=0)
        assert left(database, job_id) == ([0, 1], [0, 1])
        assert left(database, job_id, candidate=1) == ([], [])
        assert left(database, other, candidate=1) == ([0, 1], [0, 1])

    def test_it_says_how_long_what_is_left_took(self, database: Database, job_id: JobId) -> None:
        for number in range(3):
            record(database, job_id, [number], seconds=number + 0.5)
        with database.write() as session:
            assert HistoryRepository(session).rewind(job_id, 0, number=2) == 1.5
            assert HistoryRepository(session).rewind(job_id, 0, number=0) == 0.0


class TestAdd:
    def test_what_is_there_stays(self, database: Database, job_id: JobId) -> None:
        record(database, job_id, [3], step=1)
        record(database, job_id, [3, 4], step=2)
        with database.read() as session:
            points = HistoryRepository(session).points(job_id, 0, numbers=[3, 4])
        assert [point.step for point in points] == [1, 2]


class TestThin:
    def test_multiples_of_the_stride_are_left_of_that_candidate(
        self, database: Database, job_id: JobId
    ) -> None:
        record(database, job_id, range(7))
        record(database, job_id, range(3), candidate=1)
        with database.write() as session:
            HistoryRepository(session).thin(TrainingPointRow, job_id, 0, stride=2)
            HistoryRepository(session).thin(SelectionFrameRow, job_id, 0, stride=2)
        assert left(database, job_id) == ([0, 2, 4, 6], [0, 2, 4, 6])
        assert left(database, job_id, candidate=1) == ([0, 1, 2], [0, 1, 2])


class TestFrame:
    def test_without_one_of_this_number_it_is_the_last_before_it(
        self, database: Database, job_id: JobId
    ) -> None:
        record(database, job_id, [0, 4, 8])
        with database.read() as session:
            found = [
                HistoryRepository(session).frame(job_id, 0, number=number) for number in (4, 7, 99)
            ]
        assert [frame and frame.number for frame in found] == [4, 4, 8]

    def test_before_the_first_there_is_none(self, database: Database, job_id: JobId) -> None:
        with database.read() as session:
            assert HistoryRepository(session).frame(job_id, 0, number=5) is None


class TestCandidates:
    def test_those_that_have_a_point_were_begun(self, database: Database, job_id: JobId) -> None:
        with database.read() as session:
            assert HistoryRepository(session).candidates(job_id) == 0
        record(database, job_id, [0], candidate=0)
        record(database, job_id, [0], candidate=1)
        with database.read() as session:
            assert HistoryRepository(session).candidates(job_id) == 2
