"""How trainings went: points of a curve and frames of a map, a few of each however long."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, String, and_, cast, delete, func, or_, select
from sqlalchemy.orm import Session

from core.db.repositories.inserts import insert_for
from core.db.tables import SelectionFrameRow, TrainingPointRow
from core.ids import JobId

Json = dict[str, Any]
Kept = TypeVar("Kept", TrainingPointRow, SelectionFrameRow)
TABLES = (TrainingPointRow, SelectionFrameRow)


class StoredPoint(NamedTuple):
    """A point of a curve; see `TrainingPointRow`.

    Attributes:
        thresholds: the document as it is stored. A curve of many labels has a hundred thousand
            numbers, and who asks for it sends them on unread.
    """

    number: int
    step: int
    epoch: int
    seconds: float
    seen: int
    kept: int
    loss_sum: float
    looks: int
    held_out_score: float | None
    thresholds: str


class HistoryRepository:
    """Each method runs in the caller's transaction; who writes has locked the job's row (fence)."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def rewind(self, job_id: JobId, candidate: int, *, number: int) -> float:
        """Forget this batch of the candidate and all after it, and the candidates after it.

        Returns:
            The seconds that its training had taken by the last point that is left.
        """
        for table in TABLES:
            later = or_(
                table.candidate > candidate,
                and_(table.candidate == candidate, table.number >= number),
            )
            self.session.execute(delete(table).where(table.job_id == job_id, later))
        taken = self.session.scalar(
            select(func.max(TrainingPointRow.seconds)).where(
                *_of(TrainingPointRow, job_id, candidate)
            )
        )
        return taken or 0.0

    def add(self, table: type[Kept], rows: Sequence[Json]) -> None:
        """Insert these; those that are there, because a commit was in doubt, stay."""
        if rows:
            insert = insert_for(self.session, table).on_conflict_do_nothing()
            self.session.execute(insert, list(rows))

    def thin(self, table: type[Kept], job_id: JobId, candidate: int, *, stride: int) -> None:
        """Forget those whose number is no multiple of the stride."""
        self.session.execute(
            delete(table).where(*_of(table, job_id, candidate), table.number % stride != 0)
        )

    def candidates(self, job_id: JobId) -> int:
        """How many students the job has begun to train."""
        last = self.session.scalar(
            select(func.max(TrainingPointRow.candidate)).where(TrainingPointRow.job_id == job_id)
        )
        return 0 if last is None else last + 1

    def point_numbers(self, job_id: JobId, candidate: int) -> Sequence[int]:
        """The numbers of a curve's points, in order."""
        return self.session.scalars(
            select(TrainingPointRow.number)
            .where(*_of(TrainingPointRow, job_id, candidate))
            .order_by(TrainingPointRow.number)
        ).all()

    def points(
        self, job_id: JobId, candidate: int, *, numbers: Sequence[int]
    ) -> Sequence[StoredPoint]:
        """These points of a curve, in order."""
        point = TrainingPointRow
        rows = self.session.execute(
            select(
                point.number,
                point.step,
                point.epoch,
                point.seconds,
                point.seen,
                point.kept,
                point.loss_sum,
                point.looks,
                point.held_out_score,
                cast(point.thresholds, String),
            )
            .where(*_of(point, job_id, candidate), point.number.in_(numbers))
            .order_by(point.number)
        )
        return [StoredPoint._make(row) for row in rows]

    def frame_places(self, job_id: JobId, candidate: int) -> list[Json]:
        """Number, step and epoch of each frame, in order."""
        rows = self.session.execute(
            select(SelectionFrameRow.number, SelectionFrameRow.step, SelectionFrameRow.epoch)
            .where(*_of(SelectionFrameRow, job_id, candidate))
            .order_by(SelectionFrameRow.number)
        )
        return [dict(row) for row in rows.mappings()]

    def frame(self, job_id: JobId, candidate: int, *, number: int) -> SelectionFrameRow | None:
        """The frame of this number, or else the last one before it."""
        return self.session.scalar(
            select(SelectionFrameRow)
            .where(*_of(SelectionFrameRow, job_id, candidate), SelectionFrameRow.number <= number)
            .order_by(SelectionFrameRow.number.desc())
            .limit(1)
        )


def _of(table: type[Kept], job_id: JobId, candidate: int) -> tuple[ColumnElement[bool], ...]:
    return table.job_id == job_id, table.candidate == candidate
