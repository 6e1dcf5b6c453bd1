"""How long a job may ask its teacher: a part of its wall time, the rest is for learning."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Self

from core.calling.breaker import Park
from core.db.tables import JobRow

# Learning, measuring and exporting take most of a usual job, but a job that runs into its wall
# time is one whose teacher is slow.
LABELLING_SHARE = 0.75


class LabellingTime:
    """Runs out at a share of the job's wall time, which began with its first start.

    Args:
        seconds_left: from now on; may be below 0.
        clock: seconds of a clock that nobody sets.
    """

    def __init__(self, seconds_left: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends_at = clock() + seconds_left

    @classmethod
    def of(cls, job: JobRow, *, now: datetime) -> Self:
        """That of a job which was claimed.

        Args:
            now: by the database's clock, as the job's first start is.
        """
        assert job.started_at is not None, "a claim sets it"
        behind = (now - job.started_at).total_seconds()
        return cls(LABELLING_SHARE * job.max_wall_seconds - behind)

    @property
    def seconds_left(self) -> float:
        """At least 0."""
        return max(0.0, self._ends_at - self._clock())

    @contextmanager
    def wakes_parked(self) -> Iterator[None]:
        """Inside, a job that is parked comes back in time to learn from what there is."""
        try:
            yield
        except Park as park:
            park.after_s = min(park.after_s, self.seconds_left)
            raise

    @property
    def is_over(self) -> bool:
        return self.seconds_left == 0
