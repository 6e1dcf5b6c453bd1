"""What a million texts would cost by each of the two, at the rates that a job has measured."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field
from sqlalchemy.orm import Session

from app.jobs.schemas import Told
from core.db.repositories.jobs import JobRepository
from core.db.repositories.stages import StageRepository
from core.db.tables import JobRow, JobStageRow, ModelRow
from core.lifecycle import Stage
from core.prices import MICROS
from llkd.engines.base import EngineName

Json = dict[str, Any]
MILLION = 1_000_000
# It reads answers that are there: nobody computes them.
PROVIDED = "provided"


class TeacherCost(Told):
    """A million texts by the teacher, as the job's answers were got."""

    answers: int = Field(
        description="Answers that these figures rest on: those that the job got itself, or of a "
        "replay the job whose answers it used. Stored ones cost it nothing and do not count.",
        examples=[8200],
    )
    usd: float | None = Field(
        description="US dollars: all that was spent, by these answers. Null where a price is "
        "unknown or nothing was bought, and for a local teacher, which is not paid by the call.",
        examples=[224.39],
    )
    seconds: float | None = Field(
        description="Seconds by the clock: the whole label stage, by these answers, with whoever "
        "helped and within the server's limits. Null where the stage was interrupted, where most "
        "answers were stored before, and for `provided` ones.",
        examples=[46_100.0],
    )


class StudentCost(Told):
    """A million texts by the student, on the machine that it was measured on last."""

    core_seconds: float | None = Field(
        description="Seconds of one core. Null where nothing was measured.", examples=[2110.0]
    )
    basis: Literal["engine", "one_text_a_call"] | None = Field(
        description="`engine`: batches of similar length by the engine that serves it, without "
        "tokenizing. `one_text_a_call`: half of 128 texts took no longer, one a call with "
        "tokenizing, on one thread.",
        examples=["engine"],
    )
    engine: str | None = Field(
        description="What computed; of a model that a GPU serves, the fastest on the processor. "
        "Null unless `basis` is `engine`.",
        examples=["openvino_bf16"],
    )
    processor: str | None = Field(
        description="That machine's, as far as it is known.", examples=["AMD EPYC (family 26)"]
    )


class CostReport(Told):
    """What classifying a million texts like these would take, by teacher and by student."""

    texts: int = Field(description="What all figures are for.", examples=[MILLION])
    teacher: TeacherCost = Field(description="At the rates of this job's own answers.")
    student: StudentCost = Field(description="At what was measured when it was exported.")


def tell_cost(
    session: Session, job: JobRow, done: Mapping[Stage, JobStageRow], *, model: ModelRow | None
) -> CostReport:
    """Of a job whose label stage is done."""
    return CostReport(
        texts=MILLION,
        teacher=_teacher(*_asked_by(session, job, done[Stage.LABEL])),
        student=_student(model, done),
    )


def _asked_by(session: Session, job: JobRow, labelled: JobStageRow) -> tuple[JobRow, JobStageRow]:
    """The job whose answers these are, and its label stage: replays ask nobody."""
    while job.from_job_id is not None:
        earlier = JobRepository(session).get(job.tenant_id, job.from_job_id)
        assert earlier is not None, "jobs are never deleted"
        job, labelled = earlier, StageRepository(session).get(earlier.id)[Stage.LABEL]
    return job, labelled


def _teacher(job: JobRow, labelled: JobStageRow) -> TeacherCost:
    counts, teacher = labelled.output["counts"], job.spec["teacher"]
    answers = counts["asked"] - counts["cached"]
    is_timed = (
        # Of several attempts only the last one's time is known.
        labelled.attempt == 1 and 2 * answers >= counts["asked"] > 0 and teacher["kind"] != PROVIDED
    )
    return TeacherCost(
        answers=answers,
        usd=_million(job.spent_micros / MICROS, answers) if _is_priced(teacher) else None,
        seconds=_million(labelled.output["effort"]["seconds"], answers) if is_timed else None,
    )


def _is_priced(teacher: Json) -> bool:
    """Whether all that it asks for money has a price; False where nothing is."""
    members = [teacher] if teacher["kind"] != "ensemble" else teacher["teachers"]
    prices = [each.get("prices") for each in members if each["kind"] == "openai"]
    return bool(prices) and None not in prices


def _million(total: float, texts: int) -> float | None:
    return None if texts == 0 else round(total / texts * MILLION, 2)


def _student(model: ModelRow | None, done: Mapping[Stage, JobStageRow]) -> StudentCost:
    machines = ((model.export if model else {}).get("engines") or {}).get("machines", ())
    served = _served(machines[-1]) if machines else None
    if served is not None:
        return StudentCost(
            core_seconds=round(MILLION / served["texts_per_cpu_second"], 2),
            basis="engine",
            engine=served["engine"],
            processor=machines[-1]["machine"]["processor"],
        )
    timed = done[Stage.TRAIN].output.get("serving") if Stage.TRAIN in done else None
    if timed is None:
        return StudentCost(core_seconds=None, basis=None, engine=None, processor=None)
    return StudentCost(
        core_seconds=round(timed["p50_ms"] / 1000 * MILLION, 2),
        basis="one_text_a_call",
        engine=None,
        processor=None,
    )


def _served(machine: Json) -> Json | None:
    """The engine that was chosen there, or the fastest of the processor's."""
    usable = [
        each
        for each in machine["engines"]
        if each["state"] in ("reference", "passed")
        and each["engine"] != EngineName.ONNXRUNTIME_CUDA
        and each["texts_per_cpu_second"]
    ]
    chosen = [each for each in usable if each["engine"] == machine["chosen"]]
    return _fastest(chosen or usable)


def _fastest(engines: Sequence[Json]) -> Json | None:
    return max(engines, key=lambda each: float(each["texts_per_cpu_second"]), default=None)
