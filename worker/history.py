"""What of a training is written down for people: a curve, and frames of what was selected.

Both stay small however long it lasts. Which batches they have follows from how many there
were so far, so a training that was broken off and goes on leaves what an unbroken one does.
"""

import math
import time
from dataclasses import asdict
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from core.db.repositories.histories import HistoryRepository, Kept
from core.db.tables import SelectionFrameRow, TrainingPointRow
from core.ids import JobId
from llkd.distiller import TrainingReport
from llkd.selection.quadrants import Quadrants, Thresholds
from llkd.types import FloatArray, IntArray
from worker.book import JobBook
from worker.protocol import Json

MOST_POINTS = 2000
# With a thousand labels a point is two thousand numbers.
FEWEST_POINTS = 100
MOST_THRESHOLDS = 50_000
MOST_FRAMES = 256
# Of a frame; its quadrants count the whole batch.
MOST_TEXTS = 300

# A map that moves every second is live enough.
WRITE_EVERY_S = 1.0
# Writing takes no more than so much of the time, whatever the database.
WRITING_SHARE = 1 / 200
# Digits that a chart can show.
DIGITS = 5


class TrainingHistory:
    """One candidate's history, written by one attempt.

    Args:
        candidate: its place among those of the job.
        rows: [N], the place in the dataset of each text of the pool.
        number: batches of the pool that are behind it. What an earlier attempt wrote of
            later ones is forgotten: they come again.
    """

    def __init__(
        self, book: JobBook, *, candidate: int, rows: IntArray, class_count: int, number: int
    ) -> None:
        self._book = book
        self._rows = rows
        most = min(MOST_POINTS, max(FEWEST_POINTS, MOST_THRESHOLDS // class_count))
        self._points = _Series(TrainingPointRow, candidate, most=most)
        self._frames = _Series(SelectionFrameRow, candidate, most=MOST_FRAMES)
        before = book.write(
            lambda session, job_id: HistoryRepository(session).rewind(
                job_id, candidate, number=number
            )
        )
        self._started = time.monotonic() - before
        self._write_at = -math.inf

    def observe(self, report: TrainingReport, *, number: int) -> None:
        """Take note of a batch, the number-th from 0, if it is one to keep or the last one."""
        is_last = report.stopped is not None
        if is_last or self._points.takes(number):
            self._points.add(number, self._point(report))
        if is_last or self._frames.takes(number):
            self._frames.add(number, self._frame(report))
        if is_last or time.monotonic() >= self._write_at:
            self.write()

    def write(self) -> None:
        """Write what was noted: before a checkpoint, too, which is not gone back behind."""
        started = time.monotonic()
        self._book.write(self._write)
        for series in (self._points, self._frames):
            series.written()
        ended = time.monotonic()
        self._write_at = ended + max(WRITE_EVERY_S, (ended - started) / WRITING_SHARE)

    def _write(self, session: Session, job_id: JobId) -> None:
        self._points.write(HistoryRepository(session), job_id)
        self._frames.write(HistoryRepository(session), job_id)

    def _point(self, report: TrainingReport) -> Json:
        looks = report.state.looks
        return {
            "step": report.step,
            "epoch": report.epoch,
            "seconds": round(time.monotonic() - self._started, 3),
            "seen": report.counters["seen"],
            "kept": report.counters["kept"],
            "loss_sum": report.state.loss_sum,
            "looks": len(looks),
            "held_out_score": looks[-1][1] if looks else None,
            "thresholds": _tell_thresholds(Thresholds.of(report.thresholds)),
        }

    def _frame(self, report: TrainingReport) -> Json:
        batch, thresholds = report.batch, Thresholds.of(report.thresholds)
        # Its first texts are a fair sample: a batch is in random order.
        some = slice(MOST_TEXTS)
        return {
            "step": report.step,
            "epoch": report.epoch,
            "seen": len(batch),
            "kept": int(report.kept.sum()),
            "quadrants": asdict(Quadrants.of(batch, thresholds)),
            "thresholds": _tell_thresholds(thresholds),
            "points": {
                "index": self._rows[batch.index[some]].tolist(),
                "label": batch.labels[some].tolist(),
                "confidence": _rounded(batch.confidence[some]),
                "uncertainty": _rounded(batch.uncertainty[some]),
                "kept": report.kept[some].tolist(),
            },
        }


class _Series:
    """Every stride-th batch of one candidate; the stride doubles when there are too many."""

    def __init__(self, table: type[Kept], candidate: int, *, most: int) -> None:
        self._table: Any = table
        self._candidate = candidate
        self._most = most
        self._stride = 1
        self._is_thinned = True
        self._waiting: dict[int, Json] = {}

    def takes(self, number: int) -> bool:
        """Whether this batch is kept for now; if it is one too many, forget every other one."""
        while number // self._stride >= self._most:
            self._stride *= 2
            self._is_thinned = False
            self._waiting = {
                n: noted for n, noted in self._waiting.items() if n % self._stride == 0
            }
        return number % self._stride == 0

    def add(self, number: int, content: Json) -> None:
        self._waiting[number] = content

    def write(self, histories: HistoryRepository, job_id: JobId) -> None:
        """Put what waits into the table; safe to repeat."""
        if not self._is_thinned:
            histories.thin(self._table, job_id, self._candidate, stride=self._stride)
        place = {"job_id": job_id, "candidate": self._candidate}
        rows = [{**place, "number": number, **content} for number, content in self._waiting.items()]
        histories.add(self._table, rows)

    def written(self) -> None:
        self._is_thinned = True
        self._waiting.clear()


def _tell_thresholds(thresholds: Thresholds) -> Json:
    return {
        name: None if by_class is None else _rounded(by_class)
        for name, by_class in vars(thresholds).items()
    }


def _rounded(values: FloatArray) -> list[float | None]:
    """As a document has them: what is unknown is null."""
    return [None if np.isnan(value) else value for value in np.round(values, DIGITS).tolist()]
