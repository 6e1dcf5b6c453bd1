"""What ends one day, with success or without."""

from typing import Self

from llkd_client.errors import LlkdError, Problem
from llkd_client.shapes.base import Json, Shape

ENDED = frozenset({"succeeded", "failed", "cancelled"})


class Endable(Shape):
    """A job of either kind, as far as its end goes."""

    id: str
    state: str
    stage: str | None = None
    error: Json | None = None

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def succeeded(self) -> bool:
        return self.state == "succeeded"

    def require_success(self) -> Self:
        """Itself.

        Raises:
            JobFailed: it failed or was cancelled; asked of one that has not ended, it says so.
        """
        if not self.succeeded:
            raise JobFailed(self)
        return self


class JobFailed(LlkdError):
    """A job ended without success.

    Attributes:
        job: as it ended.
        problem: why; None for one that was cancelled.
    """

    def __init__(self, job: Endable) -> None:
        self.job = job
        self.problem = None if job.error is None else Problem.read(job.error)
        where = f" in stage {job.stage}" if job.stage else ""
        why = f": {self.problem}" if self.problem else "."
        super().__init__(f"Job {job.id} {job.state}{where}{why}")


class WaitedTooLong(LlkdError):
    """The time that was given to a wait is over; the job goes on.

    Attributes:
        job: as it was last seen.
    """

    def __init__(self, job: Endable, seconds: float) -> None:
        super().__init__(f"{job.id} is still {job.state} after {seconds:g} s; it goes on.")
        self.job = job
