"""A job's whole life: label, train, evaluate, export; a pilot's: label, forecast; a report
card's and a prediction's: that alone.

A stage that is stored is not run again.
"""

import os
import time
from collections.abc import Callable, Mapping
from typing import assert_never, cast

import structlog

from core.artifacts import ArtifactStore
from core.db.session import Database
from core.lifecycle import LIVES, Purpose, Stage, why_cut_short
from llkd.specs import DistillationSpec
from worker.book import JobBook
from worker.eta import Eta
from worker.faults import FaultPoints
from worker.job import Job, OpenJob, load_rows, open_database
from worker.labelling_time import LabellingTime
from worker.progress import Progress
from worker.protocol import Assignment, Json, Message
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
        from worker.stages.label_shard import label_shards

        assert isinstance(job, Job), "only label stages are cut into shards"
        return label_shards(job, assignment.part)
    outputs = dict(job.book.outputs())
    for stage in job.life:
        if stage in outputs:
            job.progress.skip(stage, **outputs[stage]["effort"])
        else:
            outputs[stage] = _run_stage(job, stage, outputs)
    return _result(outputs) if job.purpose is Purpose.DISTILL else {}


def _work_of(stage: Stage) -> Work:
    # Imported when their turn comes: training libraries take seconds, and neither answers
    # that are there nor a model that is made already need wait for them.
    match stage:
        case Stage.LABEL:
            from worker.stages.label import label

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
        case Stage.PREDICT:
            from worker.stages.predict import predict

            return predict
        case _:
            assert_never(stage)


def _run_stage(job: OpenJob, stage: Stage, outputs: Mapping[Stage, Json]) -> Json:
    log.info("stage_started", stage=stage.value)
    started, started_at = time.monotonic(), job.book.begin(stage)
    job.progress.enter(stage)
    job.faults.reach(f"{stage}.begun")
    # What only predicts is no `Job`, and its stage asks for none.
    output = _work_of(stage)(cast(Job, job), outputs)
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
) -> OpenJob:
    """What the job's stages work with: a `Job`, unless all it does is predict."""
    rows = load_rows(database, assignment)
    opened = OpenJob(
        row=rows.job,
        dataset=rows.dataset,
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
    )
    if opened.purpose is Purpose.PREDICT:
        return opened
    return Job(
        **vars(opened),
        spec=DistillationSpec.model_validate(rows.job.spec).resolved(),
        evaluation_dataset=rows.evaluation_dataset,
        labelling_time=LabellingTime.of(rows.job, now=rows.now),
        parent=rows.parent,
    )


def _result(outputs: Mapping[Stage, Json]) -> Json:
    """What the finished job's row says; the stages' outputs say the rest."""
    ended = why_cut_short(outputs[Stage.LABEL]) or outputs[Stage.TRAIN]["stop_reason"]
    return {
        "model_id": outputs[Stage.EXPORT]["model_id"],
        "stop_reason": str(ended),
        "metrics": outputs[Stage.EVALUATE]["metrics"],
    }
