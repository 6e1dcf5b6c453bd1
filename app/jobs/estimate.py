"""What a job would take: teacher calls, tokens, money, steps, time.

Nothing is bought, but by a pilot that is asked for.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field
from sqlalchemy.orm import Session

from app.jobs import checks
from app.jobs.dataset_facts import read_facts
from app.jobs.pilot import PilotRead, find_or_start
from app.jobs.schemas import EstimateRequest, JobCreate, Told
from app.jobs.service import model_source
from app.jobs.teacher_checks import check_budget, complete_teacher
from core.artifacts import ArtifactStore
from core.config import Settings
from core.db.repositories.jobs import JobRepository
from core.db.session import Database
from core.db.tables import JobRow
from core.egress.allow_list import AllowList
from core.ids import TenantId
from core.lifecycle import JobState, Purpose
from core.prices import PriceTable
from core.queue import Bell
from llkd.content_free import CONTENT_FREE_TEXTS, wants_content_free
from llkd.specs import (
    Candidate,
    ClassConfidenceSelection,
    HuggingFaceTeacher,
    OpenAITeacher,
    ProvidedTeacher,
    RandomSelection,
    SingleSelection,
    SingleTeacher,
    members_of,
)

# A rule of thumb for English, and for scripts that a vocabulary knows letter by letter;
# to these come two special tokens a text.
BYTES_A_TOKEN = 4.0
FEWEST_BYTES_A_TOKEN = 1.5
SPECIAL_TOKENS = 2
# Gradient samples as a share of what is seen: rough, from trials on a few sets.
USUAL_SHARE = {
    "all": 1.0,
    "llkd": 0.3,
    "student_uncertainty": 0.5,
    "teacher_confidence": 0.6,
    "freematch": 0.9,
}
FINISHED_JOBS = 20
# What stands around labels and text in a language model's prompt, and what it answers.
PROMPT_BYTES = 600
OUTPUT_TOKENS = 4


class Range(Told):
    """A figure that cannot be known before."""

    low: int = Field(examples=[0])
    expected: int = Field(examples=[20000])
    high: int = Field(examples=[20000])


class Cost(Told):
    """Money for teacher calls, in US dollars; each figure from that of `tokens`."""

    low: float = Field(examples=[0.0])
    expected: float = Field(examples=[1.84])
    high: float = Field(description="Capped by `budget.max_usd`.", examples=[4.2])


class Seconds(Told):
    """Time from start to end, on the workers that made the jobs it is based on."""

    low: int = Field(examples=[240])
    high: int = Field(examples=[410])
    basis: str = Field(
        description="What the figure rests on.", examples=["2 finished jobs of 4000 to 20000 texts"]
    )


class EstimateRead(Told):
    """What the job would take if it were queued now."""

    object: Literal["estimate"] = Field(examples=["estimate"])
    rows: int = Field(description="Different texts to learn from.", examples=[20000])
    evaluation_rows: int = Field(
        description="Texts with gold in the evaluation dataset.", examples=[500]
    )
    teacher_calls: Range = Field(
        description="Texts put to the teacher. Low: every answer is stored already, which is "
        "known only once the teacher is loaded."
    )
    tokens: Range = Field(description="Tokens the teacher reads, guessed from the texts' size.")
    cost_usd: Cost | None = Field(
        description="Null where nobody has told a teacher's prices; 0 for a local one."
    )
    seconds: Seconds | None = Field(
        description="Null until a job with this student and teacher has finished here."
    )
    steps: Range = Field(
        description="Optimizer steps. Low: a selection that asks the student has nothing left "
        "after one pass; high: every text is trained on in every pass."
    )
    pilot: PilotRead | None = Field(description="Null where none was asked for.")


def estimate_job(
    database: Database,
    artifacts: ArtifactStore,
    settings: Settings,
    bell: Bell,
    *,
    allow_list: AllowList,
    prices: PriceTable,
    tenant: TenantId,
    body: EstimateRequest,
) -> EstimateRead:
    """Estimate a job after the same checks that creating it makes; raises what those raise."""
    body = body.resolved()
    with database.read() as session:
        datasets = checks.find_datasets(session, tenant, body)
        teacher = complete_teacher(
            session, tenant, body.teacher, allow_list=allow_list, prices=prices
        )
        body = body.model_copy(update={"teacher": teacher})
        finished = _alike(session, tenant, body)
    check_budget(body.teacher, body.budget)
    checks.check_models(body, model_source(settings))
    pool = checks.check_files(body, datasets, artifacts)
    evaluation = None
    if datasets.evaluation is not None:
        evaluation = read_facts(artifacts.path(datasets.evaluation.rows_artifact))
    # Rows of the evaluation dataset without gold measure nothing and are not asked about.
    calls = pool.rows + (evaluation.gold_rows if evaluation else 0)
    # With enough gold it is not asked about these after all: so few are not worth looking.
    if wants_content_free(body, gold_fits=False):
        calls += len(CONTENT_FREE_TEXTS)
    size = pool.text_bytes + (evaluation.text_bytes if evaluation else 0)
    tokens = _tokens(body, calls=calls, size=size)
    return EstimateRead(
        object="estimate",
        rows=pool.rows,
        evaluation_rows=evaluation.gold_rows if evaluation else 0,
        teacher_calls=_teacher_calls(calls, cap=body.budget.max_teacher_calls),
        tokens=tokens,
        cost_usd=_cost(body, calls=calls, tokens=tokens),
        seconds=_seconds(finished, calls),
        pilot=find_or_start(database, settings, bell, tenant=tenant, body=body)
        if body.pilot
        else None,
        steps=_sum([_steps(candidate, pool.rows) for candidate in body.candidates()]),
    )


def _teacher_calls(calls: int, *, cap: int | None) -> Range:
    capped = calls if cap is None else min(calls, cap)
    return Range(low=0, expected=capped, high=capped)


def _tokens(body: JobCreate, *, calls: int, size: int) -> Range:
    readers = [each for each in members_of(body.teacher) if not isinstance(each, ProvidedTeacher)]
    asked = [_prompt_bytes(body, each) for each in readers]
    size = sum(asked) * calls + len(readers) * size
    frame = SPECIAL_TOKENS * calls * len(readers)
    # As with calls: what is stored already is not read again.
    return Range(
        low=0,
        expected=round(size / BYTES_A_TOKEN) + frame,
        high=round(size / FEWEST_BYTES_A_TOKEN) + frame,
    )


def _prompt_bytes(body: JobCreate, teacher: SingleTeacher) -> int:
    """Bytes of what a language model is told before each text; other teachers are told nothing."""
    if not isinstance(teacher, HuggingFaceTeacher | OpenAITeacher):
        return 0
    told = [body.instruction]
    for label in body.labels:
        told += [label.name, label.description, *label.examples[: teacher.examples_per_label]]
    return PROMPT_BYTES + sum(len(each.encode()) for each in told)


def _cost(body: JobCreate, *, calls: int, tokens: Range) -> Cost | None:
    """From the tokens read and a few written; every language model reads all of them."""
    remote = [each for each in members_of(body.teacher) if isinstance(each, OpenAITeacher)]
    if any(each.prices is None for each in remote):
        return None
    figures = [0.0, 0.0]
    for each in remote:
        assert each.prices is not None, "looked at above"
        written = calls * OUTPUT_TOKENS * each.prices.output_usd_per_million
        for place, read in enumerate((tokens.expected, tokens.high)):
            figures[place] += (read * each.prices.input_usd_per_million + written) / 1e6
    most = math.inf if body.budget.max_usd is None else body.budget.max_usd
    expected, high = (round(min(figure, most), 6) for figure in figures)
    return Cost(low=0.0, expected=expected, high=high)


def _steps(candidate: Candidate, rows: int) -> Range:
    share = _expected_share(candidate.selection)
    expected = checks.most_steps(candidate, rows, share=share)
    one_pass = max(1, round(share * rows / candidate.training.batch_size))
    may_end_early = candidate.training.early_stopping and candidate.asks_student
    low = min(one_pass, expected) if may_end_early else expected
    return Range(low=low, expected=expected, high=checks.most_steps(candidate, rows))


def _sum(ranges: Sequence[Range]) -> Range:
    return Range(
        low=sum(each.low for each in ranges),
        expected=sum(each.expected for each in ranges),
        high=sum(each.high for each in ranges),
    )


def _expected_share(selection: SingleSelection) -> float:
    """How much of what it sees a selection keeps: asked for, or as a rule."""
    match selection:
        case RandomSelection(share=share) | ClassConfidenceSelection(share=share):
            return share
        case _:
            return USUAL_SHARE[selection.kind]


def _alike(session: Session, tenant: TenantId, body: JobCreate) -> list[JobRow]:
    """Finished jobs whose student and teacher are of the same make."""
    wanted = _makes(body.student.model_dump())
    wanted_teacher = _teacher_make(body.teacher.model_dump())
    page = JobRepository(session).page(tenant, limit=FINISHED_JOBS, state=JobState.SUCCEEDED)
    return [
        row
        for row in page.rows
        if row.purpose == Purpose.DISTILL
        and _makes(row.spec["student"]) == wanted
        and _teacher_make(row.spec["teacher"]) == wanted_teacher
    ]


def _makes(student: dict[str, Any]) -> list[tuple[str, str]]:
    """Which students are trained, by kind and base model, as far as their speed goes."""
    # Jobs of earlier releases have one student, which is an encoder.
    return [
        (each.get("kind", "encoder"), each["model"])
        for each in student.get("candidates", [student])
    ]


def _teacher_make(teacher: dict[str, Any]) -> tuple[str, str | None]:
    """Who teaches, by kind and model: language models differ in speed a hundredfold."""
    return teacher["kind"], teacher.get("model")


def _seconds(finished: Sequence[JobRow], rows: int) -> Seconds | None:
    """Their seconds a text, times the texts: a job's time grows with its texts, not faster."""
    rates: list[float] = []
    sizes: list[int] = []
    for row in finished:
        size = row.progress_detail.get("rows")
        if size and row.started_at and row.finished_at:
            rates.append((row.finished_at - row.started_at).total_seconds() / size)
            sizes.append(size)
    if not rates:
        return None
    return Seconds(
        low=round(min(rates) * rows),
        high=max(1, round(max(rates) * rows)),
        basis=f"{len(rates)} finished jobs of {min(sizes)} to {max(sizes)} texts",
    )
