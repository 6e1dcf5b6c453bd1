"""Gets a part of a dataset its answers: those that are stored, and the rest from the teacher."""

from collections.abc import Callable, Mapping
from pathlib import Path

from core.dataset_files import read_page
from core.label_files import Role
from llkd.types import Question
from worker.answer_desk import AnswerDesk
from worker.roles import Roles


def read_questions(rows: Path, roles: Roles, *, first_row: int, count: int) -> dict[int, Question]:
    """The texts of these rows, by row, without those that have no part in the job."""
    return {
        row["index"]: Question(row["text"])
        for row in read_page(rows, offset=first_row, limit=count)
        if roles.of(row) is not Role.EXCLUDED
    }


def fill_store(
    desk: AnswerDesk, questions: Mapping[int, Question], *, advance: Callable[[int], None]
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
        desk.ask([questions[row] for row in some], places=some)
        done += len(some)
        advance(done)
