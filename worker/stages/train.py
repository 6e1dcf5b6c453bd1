"""The second stage: a student learns from the pseudo-labels, and can be interrupted at any step."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import structlog

from core.lifecycle import EventType, Stage, StopReason
from llkd.base_models import ModelSource
from llkd.distiller import TrainingReport, distill
from llkd.held_out import split_held_out
from llkd.selection.factory import build_selector
from llkd.students.base import Student
from llkd.students.factory import build_student
from llkd.training_plan import TrainingPlan
from llkd.types import Pool
from worker.checkpoints import Checkpoints
from worker.job import Job
from worker.pool import check_diversity, load_pool
from worker.protocol import Json
from worker.stop_request import Released

log = structlog.get_logger(__name__)

# The loop's own words for why it ended; all but the first are early stops.
FINISHED = "finished"


def train(job: Job, outputs: Mapping[Stage, Json]) -> Json:
    """Distill, and store the student that came of it.

    Raises:
        InsufficientLabelDiversity: too few labels, or too few texts of each.
        TrainingDiverged: the loss stopped being finite.
        Released: the process was asked to stop; a checkpoint is saved.
    """
    pool = load_pool(job, outputs)
    check_diversity(pool, job.spec.label_names)
    learned, held_out = split_held_out(pool, seed=job.spec.training.seed)
    student = build_student(
        job.spec.student,
        job.spec.training,
        class_count=pool.class_count,
        source=ModelSource(job.models_dir, job.assignment.allowed_models),
    )
    with job.stop.deferred():
        last = _learn(job, student, learned, held_out)
        return _store(job, student, last, pool_size=len(learned))


def _learn(job: Job, student: Student, pool: Pool, held_out: Pool | None) -> TrainingReport:
    """Run the loop to its end, telling, saving and stopping between two of its steps."""
    plan = TrainingPlan.of(job.spec)
    checkpoints = Checkpoints(job, student)
    state = checkpoints.resume()
    batches = plan.epochs * plan.batches_an_epoch(pool)
    job.progress.expect(batches)
    if state is not None:
        job.progress.resume_at(
            state.epoch * plan.batches_an_epoch(pool) + state.position,
            share=plan.fraction(state, pool=pool),
        )
    selector = build_selector(job.spec.selection, pool=pool, seed=job.spec.training.seed)
    for report in distill(student, pool, selector, plan=plan, held_out=held_out, state=state):
        done = report.state.epoch * plan.batches_an_epoch(pool) + report.state.position
        _tell(job, report, done=done, batches=batches)
        if report.stopped is not None:
            log.info("training_ended", why=report.stopped, steps=report.step)
            return report
        job.faults.reach("train.step")
        if job.stop.requested:
            checkpoints.save(report.state)
            raise Released
        checkpoints.save_if_due(report.state)
    raise AssertionError("the loop ends with a report that says why")


def _tell(job: Job, report: TrainingReport, *, done: int, batches: int) -> None:
    """Say how far it is: batches of the pool behind, of all that are planned."""
    job.progress.advance(
        done,
        share=report.fraction,
        step=done,
        steps=batches,
        optimizer_steps=report.step,
        selected=report.counters["kept"],
        selected_fraction=round(report.selected, 4),
        unique_samples=report.unique_used,
    )
    job.book.tell_sometimes(
        EventType.TRAIN_METRICS,
        step=report.step,
        epoch=report.epoch,
        loss=report.loss,
        held_out_score=report.held_out_score,
    )
    job.book.tell_sometimes(
        EventType.SELECTION_UPDATED,
        step=report.step,
        selected_fraction=report.selected,
        unique_samples=report.unique_used,
        thresholds=report.thresholds,
    )


def _store(job: Job, student: Student, last: TrainingReport, *, pool_size: int) -> Json:
    with tempfile.TemporaryDirectory() as folder:
        student.save_model(Path(folder))
        artifact = job.artifacts.put_tree(Path(folder))
    completed = last.stopped == FINISHED
    dynamics = job.artifacts.scratch_path(".npz")
    last.state.dynamics.save(dynamics)
    return {
        "student": artifact,
        "dynamics": job.artifacts.put(dynamics),
        "weights_sha256": student.weights_sha256(),
        "pool_size": pool_size,
        "counters": {**last.counters, "unique_samples": last.unique_used},
        "held_out_score": last.best_score,
        "looks": last.state.looks,
        "averaged": last.state.best_is_average,
        "ended": last.stopped,
        "stop_reason": (StopReason.COMPLETED if completed else StopReason.EARLY_STOPPING).value,
    }
