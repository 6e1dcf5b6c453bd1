"""A report card's only stage: a few texts are put to a teacher twice, and its answers judged."""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from core.db.repositories.jobs import JobRepository
from core.lifecycle import EventType, Stage
from core.prices import MICROS
from llkd.evaluation import NO_ANSWER
from llkd.report_card import against_gold, consistency
from llkd.specs import OpenAITeacher, label_key
from llkd.types import FloatArray, IntArray, Question
from worker.asking.desk import Asked
from worker.asking.opening import open_in_two_orders
from worker.asking.remote_desk import RemoteDesk
from worker.durability import durably
from worker.job import Job
from worker.protocol import Json
from worker.roles import rows_of


@dataclass(frozen=True)
class Drawn:
    """Texts to ask about, in the order of the dataset.

    Attributes:
        rows: places in the dataset.
        gold: [N], in 0..K-1, -1 where it is not known.
    """

    rows: Sequence[int]
    texts: Sequence[str]
    gold: IntArray


@dataclass(frozen=True)
class _Answers:
    """What came of one round.

    Attributes:
        found: N answers in order; None for those that were turned down.
        bought: how many of them this attempt bought.
        seconds: that the buying took.
    """

    found: Sequence[Asked | None]
    bought: int
    seconds: float


def report_card(job: Job, _: Mapping[Stage, Json]) -> Json:
    """Ask about the drawn texts, then about the same with their labels in another order.

    An attempt that is interrupted leaves its answers in the store, and the next one finds them.

    Raises:
        Park: the server cannot be asked for a while.
        RungUnavailable, TeacherNotAllowed: it may not be asked, or not as was asked for.
    """
    assert job.row.cap_calls is not None, "a report card is queued with a cap"
    drawn = draw(job, most=job.row.cap_calls // 2)
    job.progress.expect(2 * len(drawn.rows))
    with job.labelling_time.wakes_parked():
        desk, reordered = open_in_two_orders(job)
        with closing(desk), closing(reordered), job.stop.deferred():
            asked = _ask(job, desk, drawn, before=0)
            again = _ask(job, reordered, drawn, before=len(drawn.rows))
    first, answers, confidence = asked.found, _labels(asked.found), _confidence(asked.found)
    class_count = len(job.spec.labels)
    cut_short = desk.turned_down or reordered.turned_down
    rungs = {each.answer.rung for each in first if each is not None} - {None}
    return {
        "texts": len(drawn.rows),
        "answers": desk.tally.counts(),
        "models": sorted({each.answer.model for each in first if each and each.answer.model}),
        "rungs": sorted(map(str, rungs)),
        "confidence_source": desk.tally.confidence_source.value,
        "gold": against_gold(
            drawn.gold, answers, confidence, job.spec.label_names, seed=job.spec.training.seed
        ),
        "consistency": consistency(
            answers, _labels(again.found), confidence, class_count=class_count
        ),
        "cost": _cost(job, [desk, reordered], [asked, again]),
        "cut_short": None if cut_short is None else cut_short.value,
    }


def draw(job: Job, *, most: int) -> Drawn:
    """So many texts by lot, those with gold before others; the same for every teacher."""
    index = {label_key(name): place for place, name in enumerate(job.spec.label_names)}
    path = job.artifacts.path(job.dataset.rows_artifact)
    gold = [
        NO_ANSWER if row["gold"] is None else index.get(label_key(row["gold"]), NO_ANSWER)
        for row in rows_of(path)
    ]
    order = np.random.default_rng(0).permutation(len(gold))
    known = np.array(gold, dtype=np.int64) >= 0
    # A stable sort: the lot stays the order among those with gold, and among the others.
    chosen = sorted(order[np.argsort(~known[order], kind="stable")][:most].tolist())
    wanted = set(chosen)
    texts = [row["text"] for place, row in enumerate(rows_of(path)) if place in wanted]
    return Drawn(chosen, texts, np.array([gold[place] for place in chosen], dtype=np.int64))


def _ask(job: Job, desk: RemoteDesk, drawn: Drawn, *, before: int) -> _Answers:
    questions = [Question(text) for text in drawn.texts]
    found = desk.find(questions)
    missing = [place for place, asked in enumerate(found) if asked is None]
    reached = before + len(found) - len(missing)

    def tell(over: int) -> None:
        job.faults.reach("label.batch")
        counts = desk.tally.counts()
        job.progress.advance(reached + over, teacher=counts)
        job.book.tell_answers_sometimes(counts)
        job.stop.check()

    tell(0)
    started = time.monotonic()
    if missing:
        bought = desk.ask(
            [questions[place] for place in missing],
            places=[drawn.rows[place] for place in missing],
            told=tell,
        )
        for place, asked in zip(missing, bought, strict=True):
            found[place] = asked
    seconds = time.monotonic() - started
    job.stop.check()
    if desk.turned_down is not None:
        job.book.tell_once(
            EventType.BUDGET_REACHED, stop_reason=desk.turned_down.value, **desk.tally.counts()
        )
    still_missing = sum(asked is None for asked in found)
    return _Answers(found, len(missing) - still_missing, seconds)


def _cost(job: Job, desks: Sequence[RemoteDesk], rounds: Sequence[_Answers]) -> Json:
    """What the job has spent in all its attempts, and how fast this one was answered."""
    tokens = [desk.tally.tokens() for desk in desks]
    job.progress.advance(
        job.progress.units_done,
        tokens={name: sum(each[name] for each in tokens) for name in ("input", "output")},
    )
    row = durably(
        job.database, lambda session: JobRepository(session).get(job.tenant_id, job.row.id)
    )
    assert row is not None, "jobs are never deleted"
    teacher = job.spec.teacher
    is_priced = isinstance(teacher, OpenAITeacher) and teacher.prices is not None
    usd = row.spent_micros / MICROS if is_priced else None
    bought, seconds = sum(each.bought for each in rounds), sum(each.seconds for each in rounds)
    return {
        "calls": row.spent_calls,
        "usd": usd,
        "usd_per_row": usd / row.spent_calls if usd is not None and row.spent_calls else None,
        "rows_per_second": bought / seconds if bought else None,
    }


def _labels(asked: Sequence[Asked | None]) -> IntArray:
    """[N], in 0..K-1, -1 for no answer."""
    labels = [None if each is None else each.answer.label for each in asked]
    return np.array([NO_ANSWER if label is None else label for label in labels], dtype=np.int64)


def _confidence(asked: Sequence[Asked | None]) -> FloatArray:
    """[N], NaN where unknown."""
    known = [None if each is None else each.answer.confidence for each in asked]
    return np.array([np.nan if each is None else each for each in known], dtype=np.float64)
