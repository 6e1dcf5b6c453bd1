"""The lazy label stage: texts are asked about round by round, as long as it is worth it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np

from core.lifecycle import StopReason
from llkd.buying import Buyer
from llkd.errors import ModelNotAllowed
from llkd.specs import OFFLINE_MODEL
from llkd.types import IntArray, Question
from worker.asking.desk import Asked, Desk
from worker.embedding import embed_texts, find_encoder
from worker.job import Job
from worker.protocol import Json

NO_LABEL = -1


@dataclass(frozen=True)
class Bought:
    """What came of it.

    Attributes:
        answers: by row of the dataset; rows that were not worth it are left out.
        by_lot: rows among them that were chosen by lot.
        told: what the report says of the rounds; None where there was one alone.
    """

    answers: Mapping[int, Asked]
    by_lot: frozenset[int]
    told: Json | None


def buy_answers(
    job: Job,
    desk: Desk,
    questions: Mapping[int, Question],
    *,
    advance: Callable[[int], None],
) -> Bought:
    """Ask about the texts that the rule of `Buyer` chooses, within the job's budget and time.

    A job that is interrupted asks again about the same texts in the same order, and finds
    the answers it had in the store.

    Args:
        questions: by row of the dataset.
        advance: told how many texts were asked about so far.

    Raises:
        ModelNotAllowed: the operator does not allow the encoder that chooses.
        TeacherUnusable: it fails on too many texts.
    """
    encoder = find_encoder(job)
    if encoder is None:
        raise ModelNotAllowed(
            f"lazy labelling chooses with {OFFLINE_MODEL!r}, which is not allowed here"
        )
    rows = list(questions)
    vectors = embed_texts(job, [each.text for each in questions.values()], encoder=encoder)
    buyer = Buyer(vectors, class_count=len(job.spec.labels), seed=job.spec.training.seed)
    answers: dict[int, Asked] = {}
    # Once a question is turned down there is no more to choose for.
    while desk.turned_down is None:
        places = buyer.choose(most=len(rows) - len(answers))
        if not len(places):
            break
        found = _ask(
            desk,
            {int(i): questions[rows[i]] for i in places},
            rows=rows,
            before=len(answers),
            advance=advance,
        )
        answers |= {rows[i]: each for i, each in found.items()}
        _note(buyer, found)
    return Bought(
        answers,
        by_lot=frozenset(rows[i] for i in buyer.audit),
        told=_tell(buyer, texts=len(rows), turned_down=desk.turned_down),
    )


def buy_by_lot(
    job: Job,
    desk: Desk,
    questions: Mapping[int, Question],
    *,
    most: int,
    advance: Callable[[int], None],
) -> Bought:
    """Ask about so many texts in an order of the job's seed, as far as the budget reaches.

    Whatever it reaches is a fair sample: the beginning of a file seldom is.

    Args:
        questions: by row of the dataset.
        advance: told how many texts were asked about so far.

    Raises:
        TeacherUnusable: it fails on too many texts.
    """
    rows = list(questions)
    order = np.random.default_rng(job.spec.training.seed).permutation(len(rows))
    drawn = {i: questions[rows[i]] for i in order[:most].tolist()}
    found = _ask(desk, drawn, rows=rows, before=0, advance=advance)
    answers = {rows[i]: asked for i, asked in found.items()}
    return Bought(answers, by_lot=frozenset(answers), told=None)


def _ask(
    desk: Desk,
    questions: Mapping[int, Question],
    *,
    rows: Sequence[int],
    before: int,
    advance: Callable[[int], None],
) -> dict[int, Asked]:
    """One round's answers by place, without those that were turned down."""
    stored = desk.find(list(questions.values()))
    found = {i: asked for i, asked in zip(questions, stored, strict=True) if asked is not None}
    advance(before + len(found))
    missing = [i for i in questions if i not in found]
    for start in range(0, len(missing), desk.batch_size):
        some = missing[start : start + desk.batch_size]
        reached = before + len(found)
        bought = desk.ask(
            [questions[i] for i in some],
            places=[rows[i] for i in some],
            told=partial(_advance_beyond, advance, reached),
        )
        found |= {i: asked for i, asked in zip(some, bought, strict=True) if asked is not None}
    return found


def _advance_beyond(advance: Callable[[int], None], before: int, over: int) -> None:
    advance(before + over)


def _note(buyer: Buyer, found: Mapping[int, Asked]) -> None:
    if not found:
        return
    answers = [asked.answer for asked in found.values()]
    labels: IntArray = np.array(
        [NO_LABEL if answer.label is None else answer.label for answer in answers]
    )
    confidence = np.array(
        [np.nan if answer.confidence is None else answer.confidence for answer in answers],
        dtype=np.float64,
    )
    buyer.note(np.array(list(found), dtype=np.int64), labels, confidence)


def _tell(buyer: Buyer, *, texts: int, turned_down: StopReason | None) -> Json:
    asked = buyer.rounds[-1].asked if buyer.rounds else 0
    ended = "all_asked" if asked == texts else "not_worth_it"
    return {
        "texts": texts,
        "rounds": [asdict(each) for each in buyer.rounds],
        "ended": ended if turned_down is None else turned_down.value,
    }
