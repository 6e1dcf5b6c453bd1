"""What a job would take: teacher calls, tokens, money, steps, time.

Nothing is bought, but by a pilot that is asked for.
"""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from app.jobs import checks
from app.jobs.budget import BudgetSpec
from app.jobs.checks import Datasets
from app.jobs.dataset_facts import DatasetFacts, read_facts
from app.jobs.desk import Desk
from app.jobs.earlier_times import find_alike, forecast_seconds
from app.jobs.estimate_schemas import Cost, EstimateRead, Range
from app.jobs.intervals import NOTHING, Interval
from app.jobs.parent import with_parent
from app.jobs.pilot import find_or_start
from app.jobs.replay import checked_corrections, find_answers, whole_request
from app.jobs.schemas import EstimateRequest, JobCreate, JobReplay
from app.jobs.teacher_checks import check_budget, complete_teacher
from app.jobs.teacher_estimate import SAMPLE_TEXTS, TeacherEstimate, TextSample, estimate_teacher
from core.artifacts import ArtifactStore
from core.dataset_files import draw_gold_texts, draw_texts
from core.db.tables import JobRow
from core.ids import TenantId
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
ASKS_NOBODY = TeacherEstimate(NOTHING, cached=None, tokens=NOTHING, usd=NOTHING, limit_seconds=None)


@dataclass(frozen=True)
class _Checked:
    """A job that could be queued, and what is known of it."""

    body: JobCreate
    datasets: Datasets
    pool: DatasetFacts
    # Of the evaluation dataset: texts with gold.
    gold_rows: int
    # Finished jobs like it.
    finished: list[JobRow]


def estimate_job(
    desk: Desk, *, tenant: TenantId, body: EstimateRequest | JobReplay
) -> EstimateRead:
    """Estimate a job after the same checks that creating it makes; raises what those raise."""
    if isinstance(body, JobReplay):
        # What is left is to learn, and to measure.
        with desk.database.read() as session:
            asked = whole_request(session, tenant, body)
            answers = find_answers(session, desk.artifacts, body)
        replay = _check(desk, tenant, asked, is_replay=True)
        # The answers go with the dataset, which is known to be there by now.
        checked_corrections(body, asked, answers=answers)
        return _tell(replay, ASKS_NOBODY, sample_texts=0, timed_rows=replay.pool.rows)
    found = _check(desk, tenant, body, is_replay=False)
    samples = _samples(found, desk.artifacts)
    with desk.database.read() as session:
        teacher = estimate_teacher(
            session, tenant, found.body, samples, max_calls=found.body.budget.max_teacher_calls
        )
    told = _tell(
        found,
        teacher,
        sample_texts=sum(len(each.texts) for each in samples),
        timed_rows=sum(each.rows for each in samples),
    )
    if body.pilot:
        pilot = find_or_start(desk, tenant=tenant, body=found.body)
        told = told.model_copy(update={"pilot": pilot})
    return told


def _check(desk: Desk, tenant: TenantId, body: JobCreate, *, is_replay: bool) -> _Checked:
    with desk.database.read() as session:
        body = with_parent(session, tenant, body).resolved()
        datasets = checks.find_datasets(session, tenant, body)
        teacher = complete_teacher(
            session, tenant, body.teacher, allow_list=desk.allow_list, prices=desk.prices
        )
        body = body.model_copy(update={"teacher": teacher})
        finished = find_alike(session, tenant, body, is_replay=is_replay)
    if not is_replay:
        check_budget(body.teacher, body.budget)
    checks.check_models(body, desk.models)
    pool = checks.check_files(body, datasets, desk.artifacts)
    gold_rows = 0
    if datasets.evaluation is not None:
        gold_rows = read_facts(desk.artifacts.path(datasets.evaluation.rows_artifact)).gold_rows
    return _Checked(body, datasets, pool, gold_rows, finished)


def _tell(
    found: _Checked, teacher: TeacherEstimate, *, sample_texts: int, timed_rows: int
) -> EstimateRead:
    body = found.body
    learned = found.pool.rows - (0 if body.certification is None else body.certification.rows)
    return EstimateRead(
        object="estimate",
        rows=learned,
        evaluation_rows=found.gold_rows,
        sample_texts=sample_texts,
        teacher_calls=_range(teacher.calls),
        cached=None if teacher.cached is None else _range(teacher.cached),
        tokens=_range(teacher.tokens),
        cost_usd=None if teacher.usd is None else _cost(teacher.usd, body.budget),
        limit_seconds=None if teacher.limit_seconds is None else _range(teacher.limit_seconds),
        seconds=forecast_seconds(found.finished, timed_rows),
        pilot=None,
        steps=_sum([_steps(candidate, learned) for candidate in body.candidates()]),
    )


def _samples(found: _Checked, artifacts: ArtifactStore) -> list[TextSample]:
    """Of each kind of text that the teacher would be asked about."""
    datasets = found.datasets
    texts = draw_texts(artifacts.path(datasets.pool.rows_artifact), most=SAMPLE_TEXTS)
    samples = [TextSample(found.pool.rows, texts)]
    if datasets.evaluation is not None:
        # Rows without gold measure nothing and are not asked about.
        path = artifacts.path(datasets.evaluation.rows_artifact)
        samples.append(TextSample(found.gold_rows, draw_gold_texts(path, most=SAMPLE_TEXTS)))
    # With enough gold it is not asked about these after all: so few are not worth looking.
    if wants_content_free(found.body, gold_fits=False):
        samples.append(TextSample(len(CONTENT_FREE_TEXTS), CONTENT_FREE_TEXTS))
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
