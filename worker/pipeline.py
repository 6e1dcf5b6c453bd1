"""A job's whole life: label, train, evaluate, export; a pilot's: label, forecast; a report
card's: that alone.

A stage that is stored is not run again.
"""

import os
import time
from collections.abc import Callable, Mapping
from typing import assert_never

import structlog

from core.artifacts import ArtifactStore
from core.db.session import Database
from core.lifecycle import LIVES, Purpose, Stage, why_cut_short
from llkd.specs import DistillationSpec
from worker.book import JobBook
from worker.eta import Eta
from worker.faults import FaultPoints
from worker.job import Job, load_rows, open_database
from worker.labelling_time import LabellingTime
from worker.progress import Progress
from worker.protocol import Assignment, Json, Message
from worker.stages.label import label
from worker.stages.label_shard import label_shards
from worker.stop_request import StopRequest

log = structlog.get_logger(__name__)

Work = Callable[[Job, Mapping[Stage, Json]], Json]


def run(assignment: Assignment, *, stop: StopRequest, tell: Callable[[Message], None]) -> Json:
    """Live the rest of the job's life, or help with its label stage; returns what came of it.

    Raises:
        GhostWorker: the job is another attempt's.
        Released: the process was asked to stop.
        LlkdError: the job cannot succeed.
    """
    database = open_database(assignment)
    job = _open_job(assignment, database, stop=stop, tell=tell)
    if assignment.part is not None:
        return label_shards(job, assignment.part)
    outputs = dict(job.book.outputs())
    for stage in job.life:
        if stage in outputs:
            job.progress.skip(stage, **outputs[stage]["effort"])
        else:
            outputs[stage] = _run_stage(job, stage, outputs)
    return _result(outputs) if job.purpose is Purpose.DISTILL else {}


def _work_of(stage: Stage) -> Work:
    # Imported when their turn comes: torch takes seconds, and answers that are there
    # need not wait for it.
    match stage:
        case Stage.LABEL:
            return label
        case Stage.TRAIN:
            from worker.stages.train import train

            return train
        case Stage.EVALUATE:
            from worker.stages.evaluate import evaluate_student

            return evaluate_student
        case Stage.EXPORT:
            from worker.stages.export import export

            return export
        case Stage.FORECAST:
            from worker.stages.forecast import forecast_job

            return forecast_job
        case Stage.REPORT_CARD:
            from worker.stages.report_card import report_card

            return report_card
        case _:
            assert_never(stage)


def _run_stage(job: Job, stage: Stage, outputs: Mapping[Stage, Json]) -> Json:
    log.info("stage_started", stage=stage.value)
    started, started_at = time.monotonic(), job.book.begin(stage)
    job.progress.enter(stage)
    job.faults.reach(f"{stage}.begun")
    output = _work_of(stage)(job, outputs)
    seconds = time.monotonic() - started
    effort = {"units": job.progress.units_done, "seconds": round(seconds, 3)}
    output = {**output, "effort": effort}
    job.faults.reach(f"{stage}.before_commit")
    job.book.finish(stage, output, started_at=started_at)
    job.progress.leave(stage, seconds=seconds)
    job.faults.reach(f"{stage}.after_commit")
    job.stop.check()
    log.info("stage_finished", stage=stage.value, seconds=round(seconds, 2))
    return output


def _open_job(
    assignment: Assignment,
    database: Database,
    *,
    stop: StopRequest,
    tell: Callable[[Message], None],
) -> Job:
    rows = load_rows(database, assignment)
    return Job(
        row=rows.job,
        spec=DistillationSpec.model_validate(rows.job.spec).resolved(),
        dataset=rows.dataset,
        evaluation_dataset=rows.evaluation_dataset,
        assignment=assignment,
        database=database,
        artifacts=ArtifactStore(assignment.artifacts_dir),
        book=JobBook(database, assignment.claim),
        progress=Progress(
            tell,
            detail=rows.job.progress_detail,
            eta=Eta(life=LIVES[Purpose(rows.job.purpose)]),
        ),
        stop=stop,
        tell=tell,
        faults=FaultPoints(os.environ, attempt=assignment.attempt),
        labelling_time=LabellingTime.of(rows.job, now=rows.now),
    )


def _result(outputs: Mapping[Stage, Json]) -> Json:
    """What the finished job's row says; the stages' outputs say the rest."""
    ended = why_cut_short(outputs[Stage.LABEL]) or outputs[Stage.TRAIN]["stop_reason"]
    return {
        "model_id": outputs[Stage.EXPORT]["model_id"],
        "stop_reason": str(ended),
        "metrics": outputs[Stage.EVALUATE]["metrics"],
    }
