"""How a job's training goes or went: its curve, and the map of what was selected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy.orm import Session

from app.found_files import read_found
from app.jobs.errors import NoResult, TrainingNotBegun
from app.jobs.finished import finished_stages
from app.jobs.history_schemas import (
    FramePlace,
    FrameRead,
    MapPoint,
    Quadrants,
    SelectionMapRead,
    ThresholdsRead,
)
from app.jobs.service import find_job, find_rows
from core.artifacts import ArtifactStore
from core.dataset_files import read_texts
from core.db.repositories.histories import HistoryRepository, StoredPoint
from core.db.repositories.stages import StageRepository
from core.db.session import Database
from core.db.tables import JobRow, JobStageRow, SelectionFrameRow
from core.errors import Gone, NotFound
from core.ids import TenantId
from core.lifecycle import Stage

Json = dict[str, Any]
# Beyond every frame.
LATEST = 10**12
SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class _Course:
    """One student's training, as it stands."""

    job: JobRow
    candidate: int
    candidates: int
    ended: bool

    def told(self) -> Json:
        """What every answer about it says."""
        return {
            "job_id": self.job.id,
            "labels": [label["name"] for label in self.job.spec["labels"]],
            "candidate": self.candidate,
            "candidates": self.candidates,
            "ended": self.ended,
        }


@dataclass(frozen=True)
class _Look:
    """A frame of a map, where all of its frames are, and the texts; either may be None."""

    course: _Course
    places: Sequence[Json]
    frame: SelectionFrameRow | None
    rows: Path | None


def read_training(
    session: Session, tenant: TenantId, job_id: str, *, points: int, candidate: int | None
) -> bytes:
    """At most so many points of a curve, evenly drawn from those that are kept: the JSON of a
    `TrainingHistoryRead`.

    Args:
        candidate: None for the student that was kept, or else the newest one.

    Raises:
        NotFound: no such job, or no such candidate.
        TrainingNotBegun: it may still begin.
        NoResult: it never will.
    """
    course = _find_course(session, tenant, job_id, candidate)
    histories = HistoryRepository(session)
    numbers = _drawn(histories.point_numbers(course.job.id, course.candidate), points)
    rows = histories.points(course.job.id, course.candidate, numbers=numbers)
    curve = [_tell_point(row, before) for row, before in zip(rows, [None, *rows], strict=False)]
    return orjson.dumps({"object": "training_history", **course.told(), "points": curve})


def read_selection(
    database: Database,
    artifacts: ArtifactStore,
    tenant: TenantId,
    job_id: str,
    *,
    number: int,
    candidate: int | None,
) -> SelectionMapRead:
    """One frame of a map, with its texts: that of this number, or else the last one before it.

    Raises:
        NotFound, TrainingNotBegun, NoResult: as in `read_training`.
    """

    def find(session: Session) -> _Look:
        course = _find_course(session, tenant, job_id, candidate)
        histories = HistoryRepository(session)
        places = histories.frame_places(course.job.id, course.candidate)
        frame = histories.frame(course.job.id, course.candidate, number=number)
        try:
            rows = find_rows(session, artifacts, course.job)
        except Gone:
            # The figures are the job's own, and stay.
            rows = None
        return _Look(course, places, frame, rows)

    return read_found(database, find, _tell_look)


def _tell_look(look: _Look) -> SelectionMapRead:
    frame = look.frame
    texts: Mapping[int, str] = {}
    if frame is not None and look.rows is not None:
        texts = read_texts(look.rows, frame.points["index"])
    told = look.course.told()
    return SelectionMapRead(
        object="selection_map",
        **told,
        frames=[FramePlace(**place) for place in look.places],
        frame=None if frame is None else _tell_frame(frame, told["labels"], texts),
    )


def _find_course(session: Session, tenant: TenantId, job_id: str, candidate: int | None) -> _Course:
    job = find_job(session, tenant, job_id)
    begun = HistoryRepository(session).candidates(job.id)
    done = StageRepository(session).get(job.id)
    if not begun:
        done = finished_stages(
            session, job, needed=Stage.TRAIN, result="a training", not_ready=TrainingNotBegun
        )
        raise NoResult(f"{job.id} was trained by a release that kept no history.")
    if candidate is None:
        candidate = _kept(done) if Stage.TRAIN in done else begun - 1
    if candidate >= begun:
        raise NotFound("candidate", str(candidate))
    over = job.state.is_terminal or Stage.TRAIN in done or candidate < begun - 1
    return _Course(job, candidate, begun, ended=over)


def _kept(done: Mapping[Stage, JobStageRow]) -> int:
    """Place of the student that the job kept, of those it trained."""
    tried = done[Stage.TRAIN].output.get("candidates") or [{"chosen": True}]
    return next(place for place, each in enumerate(tried) if each["chosen"])


def _drawn(numbers: Sequence[int], most: int) -> Sequence[int]:
    """At most so many of them, evenly, with the last one."""
    if len(numbers) <= most:
        return numbers
    last = len(numbers) - 1
    return [numbers[last - (last * place) // max(1, most - 1)] for place in range(most)]


def _tell_point(row: StoredPoint, before: StoredPoint | None) -> Json:
    """A `TrainingPointRead`."""
    steps, seen, kept, looks, loss_sum = row.step, row.seen, row.kept, row.looks, row.loss_sum
    if before is not None:
        steps, seen, kept = steps - before.step, seen - before.seen, kept - before.kept
        looks, loss_sum = looks - before.looks, loss_sum - before.loss_sum
    return {
        "step": row.step,
        "epoch": row.epoch,
        "seconds": row.seconds,
        "loss": loss_sum / steps if steps else None,
        "selected_fraction": kept / seen,
        "held_out_score": row.held_out_score if looks else None,
        "thresholds": orjson.Fragment(row.thresholds),
    }


def _tell_frame(
    row: SelectionFrameRow, labels: Sequence[str], texts: Mapping[int, str]
) -> FrameRead:
    names = tuple(row.points)
    entries = [
        dict(zip(names, values, strict=True)) for values in zip(*row.points.values(), strict=True)
    ]
    return FrameRead(
        number=row.number,
        step=row.step,
        epoch=row.epoch,
        thresholds=ThresholdsRead(**row.thresholds),
        seen=row.seen,
        quadrants=Quadrants(**row.quadrants),
        kept=row.kept,
        points=[
            MapPoint(**entry | {"label": labels[entry["label"]], "text": _shown(texts, entry)})
            for entry in entries
        ],
    )


def _shown(texts: Mapping[int, str], entry: Json) -> str | None:
    text = texts.get(entry["index"])
    return None if text is None else text[:SHOWN_CHARACTERS]
