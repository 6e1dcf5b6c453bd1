"""The answers of an earlier job, as the label stage of one that replays it leaves them."""

from core.db.repositories.stages import StageRepository
from core.ids import JobId
from core.lifecycle import Stage
from worker.correcting import correct_answers
from worker.durability import durably
from worker.job import Job
from worker.protocol import Json

PASSPORT = ("confidence", "estimated_confidence")


def replayed_answers(job: Job, earlier: JobId) -> Json:
    """What the earlier job's stage left, every answer counted as one that was there."""
    rows = durably(job.database, lambda session: StageRepository(session).get(earlier))
    output = rows[Stage.LABEL].output
    counts = {**output["counts"], "cached": output["counts"]["asked"]}
    job.progress.expect(output["rows"])
    job.progress.advance(output["rows"], rows=output["rows"], teacher=counts)
    # This job's passport is made anew: it may ask for another confidence.
    answers = {key: value for key, value in output.items() if key not in PASSPORT}
    return correct_answers(job, {**answers, "counts": counts, "cut_short": None})
