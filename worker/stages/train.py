"""The second stage: a student learns from the pseudo-labels, and can be interrupted at any step."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import structlog

from core.lifecycle import EventType, Stage, StopReason
from llkd.base_models import ModelSource
from llkd.distiller import TrainingReport, distill
from llkd.held_out import find_held_out, held_out_score, split_held_out, trained_places
from llkd.selection.factory import build_selector
from llkd.serving_cost import measure_serving
from llkd.specs import Candidate, StudentChoice
from llkd.students.base import Student
from llkd.students.factory import build_student, continue_student
from llkd.training_state import TrainingState
from llkd.types import Pool
from worker.candidates import Planned, keep_best, plan_candidates
from worker.checkpoints import Checkpoints
from worker.history import TrainingHistory
from worker.job import Job
from worker.pool import Answers, check_diversity, load_rated_answers
from worker.protocol import Json
from worker.stop_request import Released
from worker.trained import verified

log = structlog.get_logger(__name__)

# The loop's own words for why it ended; all but the first are early stops.
FINISHED = "finished"


def train(job: Job, outputs: Mapping[Stage, Json]) -> Json:
    """Distill, and store the student that came of it: of several, the best one.

    Raises:
        InsufficientLabelDiversity: too few labels, or too few texts of each.
        TrainingDiverged: the loss stopped being finite.
        ModelDamaged, StudentMismatch: the model that it starts from cannot be used.
        Released: the process was asked to stop; a checkpoint is saved.
    """
    answers = load_rated_answers(job, outputs)
    check_diversity(answers.pool, job.spec.label_names)
    learned, held_out = _split(answers, seed=job.spec.training.seed)
    checkpoints = Checkpoints(job)
    planned = plan_candidates(job.spec, learned.pool)
    job.progress.expect(planned[-1].before + planned[-1].batches)
    with job.stop.deferred():
        for each in planned[len(checkpoints.finished) :]:
            checkpoints.finished.append(
                _train_one(job, each, learned, held_out, checkpoints=checkpoints)
            )
    return keep_best(checkpoints.finished, job.spec)


def _split(answers: Answers, *, seed: int) -> tuple[Answers, Pool | None]:
    """What is learned from, and what is held out of it or None."""
    learned, held_out = split_held_out(answers.pool, seed=seed)
    places = trained_places(answers.pool, find_held_out(answers.pool, seed=seed))
    return Answers(learned, answers.rows[places]), held_out


def _train_one(
    job: Job,
    planned: Planned,
    answers: Answers,
    held_out: Pool | None,
    *,
    checkpoints: Checkpoints,
) -> Json:
    started = time.monotonic()
    candidate, pool = planned.candidate, answers.pool
    student = _build(job, candidate, class_count=pool.class_count)
    state = checkpoints.resume(student)
    if state is None and checkpoints.finished:
        # What was trained before is now safe, too.
        checkpoints.save(student, TrainingState.start(len(pool)))
    last = _learn(job, planned, student, answers, held_out, checkpoints=checkpoints, state=state)
    score = last.best_score
    if score is None and held_out is not None:
        # Nobody looked during training.
        score = held_out_score(student.predict(held_out.texts).probabilities, held_out.labels)
    return {
        **_store(job, student, last, pool=pool),
        "candidate": candidate.model_dump(mode="json"),
        "final_score": score,
        "seconds": round(time.monotonic() - started, 3),
    }


def _build(job: Job, candidate: Candidate, *, class_count: int) -> Student:
    """The student before its first step: the same in every attempt."""
    if job.parent is not None:
        with verified(job.artifacts, job.parent.artifact) as parent:
            return continue_student(
                candidate.student, candidate.training, class_count=class_count, trained=parent
            )
    return build_student(
        candidate.student,
        candidate.training,
        class_count=class_count,
        source=ModelSource(job.models_dir, job.assignment.allowed_models),
    )


def _learn(
    job: Job,
    planned: Planned,
    student: Student,
    answers: Answers,
    held_out: Pool | None,
    *,
    checkpoints: Checkpoints,
    state: TrainingState | None,
) -> TrainingReport:
    """Run the loop to its end, telling, saving and stopping between two of its steps."""
    candidate, plan, pool = planned.candidate, planned.plan, answers.pool
    done = 0
    if state is not None:
        done = plan.batches_behind(state, pool=pool)
        job.progress.resume_at(
            planned.before + done, share=_share(job, planned, plan.fraction(state, pool=pool))
        )
    history = TrainingHistory(
        job.book,
        candidate=len(checkpoints.finished),
        rows=answers.rows,
        class_count=pool.class_count,
        number=done,
    )
    selector = build_selector(candidate.selection, pool=pool, seed=candidate.training.seed)
    for report in distill(student, pool, selector, plan=plan, held_out=held_out, state=state):
        history.observe(report, number=done)
        done = plan.batches_behind(report.state, pool=pool)
        _tell(job, planned, report, done=done)
        if report.stopped is not None:
            log.info("training_ended", why=report.stopped, steps=report.step)
            return report
        job.faults.reach("train.step")
        stopping = job.stop.requested
        if stopping or checkpoints.is_due:
            # What is behind a checkpoint does not come again.
            history.write()
            checkpoints.save(student, report.state)
        if stopping:
            raise Released
    raise AssertionError("the loop ends with a report that says why")


def _share(job: Job, planned: Planned, fraction: float) -> float:
    """How much of the stage is behind when this much of the candidate is."""
    return (planned.before + fraction * planned.batches) / job.progress.units


def _tell(job: Job, planned: Planned, report: TrainingReport, *, done: int) -> None:
    """Say how far it is: batches of the pool behind, of all that are planned."""
    job.progress.advance(
        planned.before + done,
        share=_share(job, planned, report.fraction),
        step=planned.before + done,
        steps=job.progress.units,
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


def _store(job: Job, student: Student, last: TrainingReport, *, pool: Pool) -> Json:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        student.save_model(folder)
        artifact = job.artifacts.put_tree(folder)
        serving = None
        if isinstance(job.spec.student, StudentChoice):
            cost = measure_serving(folder, pool.texts, seed=job.spec.training.seed)
            serving = asdict(cost)
    completed = last.stopped == FINISHED
    dynamics = job.artifacts.scratch_path(".npz")
    last.state.dynamics.save(dynamics)
    return {
        "student": artifact,
        "dynamics": job.artifacts.put(dynamics),
        "weights_sha256": student.weights_sha256(),
        "serving": serving,
        "pool_size": len(pool),
        "counters": {**last.counters, "unique_samples": last.unique_used},
        "held_out_score": last.best_score,
        "looks": last.state.looks,
        "efforts": last.state.efforts,
        "averaged": last.state.best_is_average,
        "ended": last.stopped,
        "stop_reason": (StopReason.COMPLETED if completed else StopReason.EARLY_STOPPING).value,
    }
