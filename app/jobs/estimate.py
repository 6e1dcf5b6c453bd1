"""What a job would take: teacher calls, tokens, money, steps, time.

Nothing is bought, but by a pilot that is asked for.
"""

import math
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any, Literal

from pydantic import Field
from sqlalchemy.orm import Session

from app.jobs import checks
from app.jobs.budget import BudgetSpec
from app.jobs.checks import Datasets
from app.jobs.dataset_facts import DatasetFacts, read_facts
from app.jobs.intervals import Interval
from app.jobs.parent import with_parent
from app.jobs.pilot import PilotRead, find_or_start
from app.jobs.replay import checked_corrections, whole_request
from app.jobs.schemas import EstimateRequest, JobCreate, JobReplay, Told
from app.jobs.service import model_source
from app.jobs.teacher_checks import check_budget, complete_teacher
from app.jobs.teacher_estimate import SAMPLE_TEXTS, TextSample, estimate_teacher
from core.artifacts import ArtifactStore
from core.config import Settings
from core.dataset_files import draw_gold_texts, draw_texts
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
    RandomSelection,
    SingleSelection,
)

# Gradient samples as a share of what is seen: rough, from trials on a few sets.
USUAL_SHARE = {
    "all": 1.0,
    "llkd": 0.3,
    "student_uncertainty": 0.5,
    "teacher_confidence": 0.6,
    "freematch": 0.9,
}
FINISHED_JOBS = 20


class Range(Told):
    """A figure that cannot be known before: what is expected, and an interval around it."""

    low: int = Field(examples=[0])
    expected: int = Field(examples=[20000])
    high: int = Field(examples=[20000])


NONE = Range(low=0, expected=0, high=0)


class Cost(Told):
    """Money for teacher calls, in US dollars."""

    low: float = Field(examples=[1.31])
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
    rows: int = Field(
        description="Different texts to learn from, those that certify left out.", examples=[20000]
    )
    evaluation_rows: int = Field(
        description="Texts with gold in the evaluation dataset.", examples=[500]
    )
    sample_texts: int = Field(
        description="Texts that the figures below rest on, drawn by lot.", examples=[400]
    )
    teacher_calls: Range = Field(
        description="Questions to be bought: texts without a stored answer, each as often as there "
        "are teachers, within `budget.max_teacher_calls`. Low is 0 for a local teacher, whose "
        "answers are known only once it is loaded."
    )
    cached: Range | None = Field(
        description="Questions whose answer is stored, which cost nothing: Wilson's 95 % interval "
        "from the sample. Null where no teacher is a server."
    )
    tokens: Range = Field(
        description="Tokens that the teachers read: the job's own prompts with the sampled texts. "
        "Expected: 4 bytes a token in ASCII and 3 in other scripts; low: 5 and 4.5; high: 3 and "
        "1.5; low and high widened by the sample's 95 % interval."
    )
    cost_usd: Cost | None = Field(
        description="Of `tokens` and of 1, 4 or 32 tokens an answer; a model that thinks before it "
        "answers writes more. Null where nobody has told a teacher's prices; 0 for a local one."
    )
    limit_seconds: Range | None = Field(
        description="What the servers' limits on requests and tokens a minute make labelling last "
        "at the least. Null where no server has any."
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
    body: EstimateRequest | JobReplay,
) -> EstimateRead:
    """Estimate a job after the same checks that creating it makes; raises what those raise."""
    if isinstance(body, JobReplay):
        return _estimate_replay(
            database,
            artifacts,
            settings,
            allow_list=allow_list,
            prices=prices,
            tenant=tenant,
            replay=body,
        )
    with database.read() as session:
        body = with_parent(session, tenant, body).resolved()
        datasets = checks.find_datasets(session, tenant, body)
        teacher = complete_teacher(
            session, tenant, body.teacher, allow_list=allow_list, prices=prices
        )
        body = body.model_copy(update={"teacher": teacher})
        finished = _alike(session, tenant, body, is_replay=False)
    check_budget(body.teacher, body.budget)
    checks.check_models(body, model_source(settings))
    pool = checks.check_files(body, datasets, artifacts)
    evaluation = None
    if datasets.evaluation is not None:
        evaluation = read_facts(artifacts.path(datasets.evaluation.rows_artifact))
    # Rows of the evaluation dataset without gold measure nothing and are not asked about.
    learned = pool.rows - (0 if body.certification is None else body.certification.rows)
    calls = pool.rows + (evaluation.gold_rows if evaluation else 0)
    samples = _samples(pool, evaluation, datasets, artifacts)
    # With enough gold it is not asked about these after all: so few are not worth looking.
    if wants_content_free(body, gold_fits=False):
        calls += len(CONTENT_FREE_TEXTS)
        samples.append(TextSample(len(CONTENT_FREE_TEXTS), CONTENT_FREE_TEXTS))
    with database.read() as session:
        found = estimate_teacher(
            session, tenant, body, samples, max_calls=body.budget.max_teacher_calls
        )
    return EstimateRead(
        object="estimate",
        rows=learned,
        evaluation_rows=evaluation.gold_rows if evaluation else 0,
        sample_texts=sum(len(each.texts) for each in samples),
        teacher_calls=_range(found.calls),
        cached=None if found.cached is None else _range(found.cached),
        tokens=_range(found.tokens),
        cost_usd=None if found.usd is None else _cost(found.usd, body.budget),
        limit_seconds=None if found.limit_seconds is None else _range(found.limit_seconds),
        seconds=_seconds(finished, calls),
        pilot=find_or_start(database, settings, bell, tenant=tenant, body=body)
        if body.pilot
        else None,
        steps=_sum([_steps(candidate, learned) for candidate in body.candidates()]),
    )


def _estimate_replay(
    database: Database,
    artifacts: ArtifactStore,
    settings: Settings,
    *,
    allow_list: AllowList,
    prices: PriceTable,
    tenant: TenantId,
    replay: JobReplay,
) -> EstimateRead:
    """It asks nobody: what is left is to learn, and to measure."""
    with database.read() as session:
        asked = whole_request(session, tenant, replay)
        checked_corrections(session, artifacts, replay, asked)
        body = with_parent(session, tenant, asked).resolved()
        datasets = checks.find_datasets(session, tenant, body)
        complete_teacher(session, tenant, body.teacher, allow_list=allow_list, prices=prices)
        finished = _alike(session, tenant, body, is_replay=True)
    checks.check_models(body, model_source(settings))
    pool = checks.check_files(body, datasets, artifacts)
    evaluation = None
    if datasets.evaluation is not None:
        evaluation = read_facts(artifacts.path(datasets.evaluation.rows_artifact))
    learned = pool.rows - (0 if body.certification is None else body.certification.rows)
    return EstimateRead(
        object="estimate",
        rows=learned,
        evaluation_rows=evaluation.gold_rows if evaluation else 0,
        sample_texts=0,
        teacher_calls=NONE,
        cached=None,
        tokens=NONE,
        cost_usd=Cost(low=0, expected=0, high=0),
        limit_seconds=None,
        seconds=_seconds(finished, pool.rows),
        pilot=None,
        steps=_sum([_steps(candidate, learned) for candidate in body.candidates()]),
    )


def _samples(
    pool: DatasetFacts,
    evaluation: DatasetFacts | None,
    datasets: Datasets,
    artifacts: ArtifactStore,
) -> list[TextSample]:
    """Of each dataset the texts that the teacher would be asked about."""
    texts = draw_texts(artifacts.path(datasets.pool.rows_artifact), most=SAMPLE_TEXTS)
    samples = [TextSample(pool.rows, texts)]
    if evaluation is not None and datasets.evaluation is not None:
        # Rows without gold measure nothing and are not asked about.
        path = artifacts.path(datasets.evaluation.rows_artifact)
        samples.append(TextSample(evaluation.gold_rows, draw_gold_texts(path, most=SAMPLE_TEXTS)))
    return samples


def _range(interval: Interval) -> Range:
    return Range(
        low=math.floor(interval.low),
        expected=round(interval.expected),
        high=math.ceil(interval.high),
    )


def _cost(usd: Interval, budget: BudgetSpec) -> Cost:
    low, expected, high = (
        round(each, 6)
        for each in astuple(usd if budget.max_usd is None else usd.most(budget.max_usd))
    )
    return Cost(low=low, expected=expected, high=high)


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


def _alike(session: Session, tenant: TenantId, body: JobCreate, *, is_replay: bool) -> list[JobRow]:
    """Finished jobs whose student and teacher are of the same make.

    Only replays tell how long a replay takes, which asks nobody, and they tell it of no other.
    """
    wanted = _makes(body.student.model_dump())
    wanted_teacher = _teacher_make(body.teacher.model_dump())
    page = JobRepository(session).page(tenant, limit=FINISHED_JOBS, state=JobState.SUCCEEDED)
    return [
        row
        for row in page.rows
        if row.purpose == Purpose.DISTILL
        and (row.from_job_id is not None) == is_replay
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
