"""What do several teachers say of one text together?"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, assert_never

import numpy as np

from llkd.types import AnswerStatus, ConfidenceSource, FloatArray, TeacherAnswer

Combination = Literal["average", "vote"]

# Which failure stands for all where nobody answered: what a teacher says of the text itself
# tells more than what became of the question.
_MOST_TELLING = (
    AnswerStatus.REFUSED,
    AnswerStatus.TOO_LONG,
    AnswerStatus.MALFORMED,
    AnswerStatus.FAILED,
    AnswerStatus.MISSING,
)


def combine(
    answers: Sequence[TeacherAnswer], how: Combination, *, class_count: int
) -> TeacherAnswer:
    """Make one answer of several to the same question.

    Members that failed are left out. The confidence's source is `votes` both ways, that of
    a soft vote or a hard one, so that all answers of an ensemble have the same source,
    however many of its members answered.

    Args:
        answers: one a member, in the members' order.
        how: `average`: the mean of their probabilities. `vote`: the share of members that
            give each label; of labels with equally many votes, the one whose voters are
            surer together, then the first.
        class_count: K.

    Returns:
        An answer with [K] probabilities, its tokens and cost summed over all members, those
        that failed included; if every member failed, the most telling of their statuses.

    Raises:
        ValueError: no answer at all.
    """
    if not answers:
        raise ValueError("an ensemble needs at least one answer")
    given = [answer for answer in answers if answer.status is AnswerStatus.ANSWERED]
    if not given:
        return _with_costs(TeacherAnswer(_failure(answers)), answers)
    match how:
        case "average":
            probabilities = np.mean([distribution(each, class_count) for each in given], axis=0)
            label = int(probabilities.argmax())
        case "vote":
            probabilities, label = _vote(given, class_count)
        case _:
            assert_never(how)
    together = TeacherAnswer(
        AnswerStatus.ANSWERED,
        label=label,
        probabilities=tuple(probabilities.tolist()),
        confidence=float(probabilities[label]),
        confidence_source=ConfidenceSource.VOTES,
    )
    return _with_costs(together, answers)


def distribution(answer: TeacherAnswer, class_count: int) -> FloatArray:
    """An answer with a label as [K] probabilities, as far as they are known.

    Without probabilities, its confidence stands on its label and the rest is spread evenly;
    without a confidence, its label is certain.
    """
    if answer.probabilities is not None:
        return np.array(answer.probabilities, dtype=np.float64)
    assert answer.label is not None, "whoever answered gave a label"
    sure = 1.0 if answer.confidence is None else answer.confidence
    spread = np.full(class_count, (1 - sure) / (class_count - 1))
    spread[answer.label] = sure
    return spread


def _vote(given: Sequence[TeacherAnswer], class_count: int) -> tuple[FloatArray, int]:
    """[K] shares of the votes, and the label that won."""
    votes, sureness = np.zeros(class_count), np.zeros(class_count)
    for answer in given:
        votes[answer.label] += 1
        sureness[answer.label] += 1.0 if answer.confidence is None else answer.confidence
    # lexsort orders by its last key first; the sort is stable, so that of equals the first
    # label stands first.
    winner = int(np.lexsort((-sureness, -votes))[0])
    return votes / len(given), winner


def _failure(answers: Sequence[TeacherAnswer]) -> AnswerStatus:
    return min((answer.status for answer in answers), key=_MOST_TELLING.index)


def _with_costs(together: TeacherAnswer, answers: Sequence[TeacherAnswer]) -> TeacherAnswer:
    return replace(
        together,
        tokens_in=sum(answer.tokens_in for answer in answers),
        tokens_out=sum(answer.tokens_out for answer in answers),
        cost_micros=sum(answer.cost_micros for answer in answers),
    )
