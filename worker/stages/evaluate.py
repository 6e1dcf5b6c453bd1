"""The third stage: teacher and student against gold, and against each other."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np

from core.lifecycle import EventType, Stage
from llkd.evaluation import EvaluationReport, evaluate
from llkd.held_out import find_held_out
from llkd.students.base import Student
from llkd.types import FloatArray
from worker.audit import audit_labels
from worker.job import Job
from worker.measured import (
    ShownRows,
    certification_rows,
    gold_rows,
    held_out_rows,
    keep_measured,
)
from worker.pool import GoldRows, load_gold, load_pool
from worker.protocol import Json
from worker.trained import load_trained, unpacked

TEXTS_AT_ONCE = 256


def evaluate_student(job: Job, outputs: Mapping[Stage, Json]) -> Json:
    """Measure on gold rows if there are any, and on the held-out slice in any case.

    Held-out texts were not trained on, but they decided when training stopped, and their
    labels are the teacher's surest: agreement on them is a hopeful figure, and only gold
    says how often anyone is right. Both answers are kept of the rows with gold; without any, of
    those that certify, or else of the held-out slice.
    """
    gold = load_gold(job, outputs)
    held_out = _held_out(job, outputs)
    certifying = None if len(gold) else certification_rows(job, outputs)
    candidates = outputs[Stage.TRAIN].get("candidates") or []
    units = len(gold) * max(1, len(candidates))
    job.progress.expect(units + len(held_out) + len(certifying or ()))
    student = _load(job, outputs[Stage.TRAIN]["student"])
    answers = _predict(job, student, gold.texts, done=0)
    measured = _against_gold(job, gold, answers)
    measured_all = _all_against_gold(job, candidates, gold, chosen=measured.get("student"))
    held_answers = _predict(job, student, held_out.texts, done=units)
    agreement = _against_teacher(held_out, held_answers)
    shown, shown_answers = held_out, held_answers
    if len(gold):
        shown, shown_answers = gold_rows(gold), answers
    elif certifying:
        done = units + len(held_out)
        shown, shown_answers = certifying, _predict(job, student, certifying.texts, done=done)
    report = {
        "gold_rows": len(gold),
        "gold_source": _gold_source(job) if len(gold) else None,
        **{
            who: measured[who].to_json() if who in measured else None
            for who in ("teacher", "student")
        },
        "held_out_agreement": agreement,
        "labels": outputs[Stage.LABEL]["counts"],
        "candidates": measured_all,
        "training": {
            key: outputs[Stage.TRAIN][key]
            for key in ("pool_size", "counters", "held_out_score", "ended")
        },
    }
    metrics = _metrics(measured, agreement)
    job.book.tell(EventType.EVALUATION_METRICS, **metrics)
    return {
        "report": report,
        "metrics": metrics,
        "audit": audit_labels(job, outputs),
        **keep_measured(job.artifacts, shown, shown_answers),
    }


def _load(job: Job, tree: str) -> Student:
    with unpacked(job.artifacts, tree) as folder:
        return load_trained(folder, job.spec.training)


def _all_against_gold(
    job: Job,
    candidates: Sequence[Json],
    gold: GoldRows,
    *,
    chosen: EvaluationReport | None,
) -> list[Json | None]:
    """Macro-F1 of each, with its interval, for a person: the choice was made without gold.

    None for all of them without gold.
    """
    done = len(gold)
    found: list[Json | None] = []
    for candidate in candidates:
        report = chosen
        if chosen is not None and not candidate["chosen"]:
            student = _load(job, candidate["student"])
            report = _evaluate(job, gold, _predict(job, student, gold.texts, done=done))
            done += len(gold)
        found.append(None if report is None else asdict(report.macro_f1))
    return found


def _held_out(job: Job, outputs: Mapping[Stage, Json]) -> ShownRows:
    """The texts that told when to stop, with the teacher's labels."""
    held = find_held_out(load_pool(job, outputs), seed=job.spec.training.seed)
    return held_out_rows(job, outputs, held)


def _against_gold(
    job: Job, gold: GoldRows, probabilities: FloatArray
) -> dict[str, EvaluationReport]:
    if not len(gold):
        return {}
    measured = {"student": _evaluate(job, gold, probabilities)}
    if gold.asked.any():
        measured["teacher"] = evaluate(
            gold.gold[gold.asked],
            gold.teacher[gold.asked],
            confidence=gold.teacher_confidence[gold.asked],
            labels=job.spec.label_names,
            seed=job.spec.training.seed,
        )
    return measured


def _evaluate(job: Job, gold: GoldRows, probabilities: FloatArray) -> EvaluationReport:
    """A student's answers to the gold rows, beside the teacher's."""
    return evaluate(
        gold.gold,
        probabilities.argmax(axis=1),
        confidence=probabilities.max(axis=1),
        labels=job.spec.label_names,
        teacher=gold.teacher,
        seed=job.spec.training.seed,
    )


def _against_teacher(held_out: ShownRows, probabilities: FloatArray) -> Json | None:
    """How often the student says what the teacher said, on the slice kept from training."""
    if not len(held_out):
        return None
    agreed = probabilities.argmax(axis=1) == held_out.teacher
    return {"value": float(agreed.mean()), "rows": len(held_out)}


def _predict(job: Job, student: Student, texts: Sequence[str], *, done: int) -> FloatArray:
    """Probabilities [N, K], with progress told as they come."""
    parts = [np.zeros((0, len(job.spec.labels)))]
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        some = texts[start : start + TEXTS_AT_ONCE]
        parts.append(student.predict(some).probabilities)
        job.faults.reach("evaluate.batch")
        job.progress.advance(done + start + len(some))
    return np.concatenate(parts)


def _gold_source(job: Job) -> str:
    return "dataset" if job.evaluation_dataset is None else "evaluation_dataset"


def _metrics(measured: Mapping[str, EvaluationReport], agreement: Json | None) -> Json:
    """The few figures that a job's list shows; None where nothing could be measured."""
    teacher, student = measured.get("teacher"), measured.get("student")
    agreed = student.teacher_agreement.value if student and student.teacher_agreement else None
    return {
        "accuracy": student.accuracy.value if student else None,
        "macro_f1": student.macro_f1.value if student else None,
        "teacher_accuracy": teacher.accuracy.value if teacher else None,
        "teacher_macro_f1": teacher.macro_f1.value if teacher else None,
        "teacher_agreement": agreed if student else (agreement or {}).get("value"),
        "gold_rows": student.rows if student else 0,
    }
