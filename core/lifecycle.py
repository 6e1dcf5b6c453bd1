"""What a job can be, and what it can become.

States are moved by the statements in `core.db.repositories.engine` alone; this
page names them. Terminal is for ever: another try is another job.
"""

from datetime import timedelta
from enum import StrEnum


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


class Purpose(StrEnum):
    """What a job is for: a model, or a forecast of one from a few answers."""

    DISTILL = "distill"
    PILOT = "pilot"


# The stages of a job's life, in order.
LIVES = {
    Purpose.DISTILL: (Stage.LABEL, Stage.TRAIN, Stage.EVALUATE, Stage.EXPORT),
    Purpose.PILOT: (Stage.LABEL, Stage.FORECAST),
}


class StopReason(StrEnum):
    """Why training ended."""

    COMPLETED = "completed"
    EARLY_STOPPING = "early_stopping"
    BUDGET = "budget"


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
    CHECKPOINT_SAVED = "checkpoint.saved"
    BUDGET_WARNING = "budget.warning"
    BUDGET_REACHED = "budget.reached"
    JOB_PARKED = "job.parked"
    JOB_CANCEL_REQUESTED = "job.cancel_requested"
    JOB_REQUEUED = "job.requeued"
    JOB_SUCCEEDED = "job.succeeded"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"


# How often a job may lose its worker without progress before it is poison.
MAX_CRASHES = 3
# How long a job waits for its teacher, from the first time it was parked since an answer came.
LONGEST_PARK = timedelta(hours=24)
