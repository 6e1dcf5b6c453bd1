"""Gets a part of a dataset its answers: those that are stored, and the rest from the teacher."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from core.dataset_files import read_page
from core.label_files import Role
from llkd.types import ProvidedAnswer, Question
from worker.asking.desk import Desk
from worker.roles import Roles, Row


def question_of(row: Row) -> Question:
    """The row's text, with the answer that came with it, if one did."""
    return Question(row["text"], _provided(row))


def read_questions(rows: Path, roles: Roles, *, first_row: int, count: int) -> dict[int, Question]:
    """Of these rows, by row, without those that have no part in the job."""
    return {
        row["index"]: question_of(row)
        for row in read_page(rows, offset=first_row, limit=count)
        if roles.of(row) is not Role.EXCLUDED
    }


def fill_store(
    desk: Desk, questions: Mapping[int, Question], *, advance: Callable[[int], None]
) -> None:
    """Have all of them answered in the store, as far as the budget reaches.

    Args:
        questions: by row of the dataset.
        advance: told how many of them are behind us; may raise to stop.

    Raises:
        GhostWorker: the job or the shard is another attempt's.
    """
    found = desk.find(list(questions.values()))
    missing = [row for row, asked in zip(questions, found, strict=True) if asked is None]
    done = len(questions) - len(missing)
    advance(done)
    for start in range(0, len(missing), desk.batch_size):
        some = missing[start : start + desk.batch_size]
        desk.ask([questions[row] for row in some], places=some, told=_silent)
        done += len(some)
        advance(done)


def _silent(_: int) -> None:
    """A batch is told of once it is over."""


def _provided(row: Row) -> ProvidedAnswer | None:
    """The answer that came with the dataset; the first datasets have no column of votes."""
    label, probabilities, votes = (
        row["teacher_label"],
        row["teacher_probabilities"],
        row.get("teacher_votes"),
    )
    if label is None and probabilities is None and votes is None:
        return None
    return ProvidedAnswer(
        label=label,
        confidence=row["teacher_confidence"],
        probabilities=None if probabilities is None else json.loads(probabilities),
        votes=None if votes is None else json.loads(votes),
    )
