"""What the teacher says to texts that say nothing: asked, stored and paid for like any other."""

import numpy as np

from llkd.content_free import CONTENT_FREE_TEXTS
from llkd.types import FloatArray, Question
from worker.asking.desk import Desk
from worker.job import Job


def ask_content_free(job: Job, desk: Desk) -> FloatArray | None:
    """[M, K], the probabilities it answers, rows sum to 1; None where it answers none, or the
    budget does not reach.

    The answers count in the job's calls, tokens and cost, and among no texts.

    Raises:
        GhostWorker: the job is another attempt's.
        Park: the teacher cannot be asked for a while.
    """
    questions = [Question(text) for text in CONTENT_FREE_TEXTS]
    with job.stop.deferred(), desk.tally.aside():
        found = desk.find(questions)
        missing = [each for each, asked in zip(questions, found, strict=True) if asked is None]
        for start in range(0, len(missing), desk.batch_size):
            some = missing[start : start + desk.batch_size]
            found += desk.ask(some, places=[None] * len(some), told=lambda _: job.stop.check())
    told = [asked.answer.probabilities for asked in found if asked is not None]
    rows = [probabilities for probabilities in told if probabilities is not None]
    return np.array(rows, dtype=np.float64) if rows else None
