"""What a worker holds of a job, and what it is told about it."""

from dataclasses import dataclass
from typing import Any

from core.ids import JobId
from core.lifecycle import JobState

Json = dict[str, Any]


@dataclass(frozen=True)
class Claim:
    """The right to work on a job: valid while the row still carries this attempt."""

    job_id: JobId
    attempt: int


class GhostWorker(Exception):
    """This attempt no longer holds the job: roll back, write nothing, stop."""

    def __init__(self, claim: Claim) -> None:
        super().__init__(f"attempt {claim.attempt} no longer holds job {claim.job_id}")
        self.claim = claim


@dataclass(frozen=True)
class Orders:
    """What a heartbeat brings back."""

    cancel_requested: bool
    deadline_passed: bool


@dataclass(frozen=True)
class Reaped:
    """A job taken back from a silent worker, and what became of it."""

    job_id: JobId
    state: JobState
    crashes: int
