"""How good teacher and student are, and what it took: composed of what the stages left."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.jobs.cascade_schemas import CascadeReport, WhyNoCascade
from app.jobs.cost import tell_cost
from app.jobs.disagreements import tell_disagreements
from app.jobs.errors import ReportNotReady
from app.jobs.evaluation_schemas import EvaluationRead, StudentEvaluation
from app.jobs.finished import finished_stages
from app.jobs.pilot import score_forecast
from app.jobs.report_schemas import (
    ConfidenceReport,
    ExportDetails,
    ExportReport,
    ReportRead,
    StudentReport,
    TeacherReport,
)
from app.jobs.schemas import Told
from app.jobs.service import find_job
from app.jobs.training_report_schemas import (
    CandidateReport,
    DataPoint,
    Look,
    SelectionReport,
    TrainedStudent,
    TrainingReport,
    UsedSelection,
)
from app.jobs.view import teacher_counts, tell_stop_reason
from core.db.repositories.models import ModelRepository
from core.db.tables import JobStageRow, ModelRow
from core.ids import TenantId
from core.lifecycle import Stage

Json = dict[str, Any]


def read_report(session: Session, tenant: TenantId, job_id: str) -> ReportRead:
    """The report of a job.

    Raises:
        NotFound: no such job.
        ReportNotReady: its evaluate stage is not done yet.
        NoResult: it never will be.
    """
    job = find_job(session, tenant, job_id)
    done = finished_stages(
        session, job, needed=Stage.EVALUATE, result="a report", not_ready=ReportNotReady
    )
    evaluated = done[Stage.EVALUATE].output
    measured = evaluated["report"]
    model = ModelRepository(session).by_job(job.id)
    return ReportRead(
        object="report",
        job_id=job.id,
        gold_rows=measured["gold_rows"],
        gold_source=measured["gold_source"],
        teacher=TeacherReport(
            kind=job.spec["teacher"]["kind"],
            answers=teacher_counts(measured["labels"]),
            confidence=_confidence(done[Stage.LABEL].output),
            calibration=done[Stage.LABEL].output.get("calibration"),
            prior=done[Stage.LABEL].output.get("prior"),
            buying=done[Stage.LABEL].output.get("buying"),
            evaluation=_teacher(measured["teacher"]),
        ),
        student=StudentReport(
            evaluation=_student(measured["student"]),
            held_out_agreement=measured["held_out_agreement"],
        ),
        corrections=done[Stage.LABEL].output.get("corrections"),
        training=tell_training(done),
        selection=_selection(job.spec["selection"]["kind"], done[Stage.TRAIN].output),
        candidates=_candidates(done),
        data_efficiency=tell_data_efficiency(done),
        disagreements=tell_disagreements(job, evaluated),
        cost=tell_cost(session, job, done, model=model),
        forecast=score_forecast(
            session,
            job,
            answers=measured["labels"]["answered"],
            actual=evaluated["metrics"].get("macro_f1"),
        ),
        cascade=_cascade(done),
        no_cascade=_why_no_cascade(done),
        export=_export(model),
    )


def _confidence(output: Json) -> ConfidenceReport:
    # Jobs of the first release took what was given, and looked no closer.
    unseen = ("known", "unknown", "distinct", "tied", "skill", "agreement")
    passport: Json = {"used": "given", **dict.fromkeys(unseen)}
    passport |= output.get("confidence", {})
    return ConfidenceReport.model_validate(
        {
            "source": output["confidence_source"],
            "unknown_as": _unknown_as(passport),
            **passport,
        }
    )


def _unknown_as(passport: Json) -> str | None:
    """What the selection took an unknown confidence for; None where there was none."""
    if passport["used"] == "none" or (passport["known"] == 0 and passport["used"] == "given"):
        return "all"
    if not passport["unknown"]:
        return None
    return "certain" if passport["used"] == "given" else "estimated"


def _teacher(evaluation: Json | None) -> EvaluationRead | None:
    """Of a teacher that is measured, the agreement with itself says nothing."""
    return None if evaluation is None else EvaluationRead.model_validate(_scores(evaluation))


def _student(evaluation: Json | None) -> StudentEvaluation | None:
    if evaluation is None:
        return None
    agreement = evaluation["teacher_agreement"]
    return StudentEvaluation.model_validate(
        _scores(evaluation)
        | {"agreement_with_teacher": None if agreement is None else agreement["value"]}
    )


def _scores(evaluation: Json) -> Json:
    return {name: evaluation[name] for name in EvaluationRead.model_fields}


def tell_training(done: Mapping[Stage, JobStageRow]) -> TrainingReport:
    """What the train stage left, which has to be done."""
    output = done[Stage.TRAIN].output
    counters, pool = output["counters"], output["pool_size"]
    return TrainingReport(
        pool=pool,
        unique_samples=counters["unique_samples"],
        gradient_samples=counters["gradient_samples"],
        steps=counters["steps"],
        forwards=counters["forwards"],
        epochs=round(counters["seen"] / pool, 2),
        stop_reason=tell_stop_reason(done),
        ended=output["ended"],
        held_out_score=output["held_out_score"],
        # Students of the first release were never averages, and their looks were not kept.
        averaged=output.get("averaged", False),
        curve=[Look(step=step, held_out_score=score) for step, score in output.get("looks", [])],
        seconds=output["effort"]["seconds"],
    )


def tell_data_efficiency(done: Mapping[Stage, JobStageRow]) -> list[DataPoint] | None:
    """What the looks of a train stage that is done say of score by samples."""
    output = done[Stage.TRAIN].output
    efforts = output.get("efforts")
    if efforts is None:
        return None
    # A training that an earlier release began kept those of its last looks.
    looks = output["looks"][len(output["looks"]) - len(efforts) :]
    return [
        DataPoint(step=step, gradient_samples=samples, unique_samples=unique, held_out_score=score)
        for (step, score), (samples, unique) in zip(looks, efforts, strict=True)
    ]


def _selection(asked: str, output: Json) -> SelectionReport:
    counters = output["counters"]
    return SelectionReport(
        # Students of the first release had the selection that was asked for.
        kind=output["candidate"]["selection"]["kind"] if "candidate" in output else asked,
        seen=counters["seen"],
        kept=counters["kept"],
        kept_fraction=round(counters["kept"] / max(1, counters["seen"]), 4),
        unique_fraction=round(counters["unique_samples"] / output["pool_size"], 4),
    )


def _candidates(done: Mapping[Stage, JobStageRow]) -> list[CandidateReport] | None:
    trained = done[Stage.TRAIN].output.get("candidates")
    if trained is None:
        return None
    measured = done[Stage.EVALUATE].output["report"]["candidates"]
    return [
        CandidateReport.model_validate(
            {name: each[name] for name in CandidateReport.model_fields if name in each}
            | {
                "student": _fields_of(TrainedStudent, each["candidate"]["student"]),
                "selection": _fields_of(UsedSelection, each["candidate"]["selection"]),
                "macro_f1": macro_f1,
            }
        )
        for each, macro_f1 in zip(trained, measured, strict=True)
    ]


def _fields_of(schema: type[Told], spec: Json) -> Json:
    """What the schema tells of a spec; what its kind does not have is null."""
    return {name: spec.get(name) for name in schema.model_fields}


def _cascade(done: Mapping[Stage, JobStageRow]) -> CascadeReport | None:
    told = done[Stage.EXPORT].output.get("cascade") if Stage.EXPORT in done else None
    return None if told is None else CascadeReport.model_validate(told)


def _why_no_cascade(done: Mapping[Stage, JobStageRow]) -> WhyNoCascade | None:
    if Stage.EXPORT not in done:
        return "not_exported"
    output = done[Stage.EXPORT].output
    if "cascade" not in output:
        return "not_made"
    why: WhyNoCascade | None = output["no_cascade"]
    return why


def _export(model: ModelRow | None) -> ExportReport | None:
    if model is None:
        return None
    return ExportReport(
        model_id=model.id,
        version=model.version,
        size_bytes=model.size_bytes,
        details=ExportDetails(
            parity=model.export["parity"],
            files=model.export["files"],
            # Models of the first releases were not certified.
            certification=model.export.get("certification"),
        ),
    )
