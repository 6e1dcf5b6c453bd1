"""What a job can be, and what it can become.

States are moved by the statements in `core.db.repositories.engine` alone; this
page names them. Terminal is for ever: another try is another job.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return self in TERMINAL


TERMINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})


class Stage(StrEnum):
    """The parts of a job's life."""

    LABEL = "label"
    TRAIN = "train"
    EVALUATE = "evaluate"
    EXPORT = "export"
    # A pilot's last part, instead of the three above.
    FORECAST = "forecast"
    # The whole life of a report card.
    REPORT_CARD = "report_card"
    # The whole life of a prediction job.
    PREDICT = "predict"


class Purpose(StrEnum):
    """What a job is for: a model, a forecast of one from a few answers, to judge a teacher, or to
    have a model answer a dataset."""

    DISTILL = "distill"
    PILOT = "pilot"
    REPORT_CARD = "report_card"
    PREDICT = "predict"


# The stages of a job's life, in order.
LIVES = {
    Purpose.DISTILL: (Stage.LABEL, Stage.TRAIN, Stage.EVALUATE, Stage.EXPORT),
    Purpose.PILOT: (Stage.LABEL, Stage.FORECAST),
    Purpose.REPORT_CARD: (Stage.REPORT_CARD,),
    Purpose.PREDICT: (Stage.PREDICT,),
}


class StopReason(StrEnum):
    """Why training ended; of a job that labelled less than it was to, why it did."""

    COMPLETED = "completed"
    EARLY_STOPPING = "early_stopping"
    BUDGET = "budget"
    TIME = "time"


def why_cut_short(labelled: Mapping[str, Any]) -> StopReason | None:
    """Why texts were left out, or None when none had to be.

    Args:
        labelled: what the label stage left.
    """
    if "cut_short" not in labelled:
        # Jobs of earlier releases had no limit but the budget.
        return StopReason.BUDGET if labelled["budget_reached"] else None
    reason = labelled["cut_short"]
    return None if reason is None else StopReason(reason)


class Queue(StrEnum):
    """Which slots may take a job: any, or only those with (without) a GPU of their own."""

    ANY = "any"
    GPU = "gpu"
    CPU = "cpu"


class EventType(StrEnum):
    JOB_QUEUED = "job.queued"
    JOB_STARTED = "job.started"
    STAGE_STARTED = "stage.started"
    STAGE_FINISHED = "stage.finished"
    TEACHER_PROGRESS = "teacher.progress"
    TEACHER_ROW_FAILED = "teacher.row_failed"
    SELECTION_UPDATED = "selection.updated"
    TRAIN_METRICS = "train.metrics"
    EVALUATION_METRICS = "evaluation.metrics"
    PREDICT_PROGRESS = "predict.progress"
    CHECKPOINT_SAVED = "checkpoint.saved"
    BUDGET_WARNING = "budget.warning"
    BUDGET_REACHED = "budget.reached"
    JOB_PARKED = "job.parked"
    JOB_CANCEL_REQUESTED = "job.cancel_requested"
    JOB_REQUEUED = "job.requeued"
    JOB_SUCCEEDED = "job.succeeded"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"


# Where a job's progress keeps what each of its teachers' servers turned out to offer, by
# `server_name`: whoever asks for the same job later asks in the same way.
PROBED = "probed"


def server_name(base_url: str | None, model: str | None) -> str:
    """What a server and its model go by in a job's progress."""
    return f"{base_url} {model}"


# How often a job may lose its worker without progress before it is poison.
MAX_CRASHES = 3
# How long a job waits for its teacher, from the first time it was parked since an answer came.
LONGEST_PARK = timedelta(hours=24)
