"""How far along a job is, and when it will end, from measured rates alone."""

import time
from collections.abc import Callable, Sequence

from core.lifecycle import LIVES, Purpose, Stage

# Shares of a job's time that the stages took on MiniLM with the few-shot teacher. They
# weigh the stages that have not begun; each gives way to a measurement once there is one.
EXPECTED_SHARE = {
    Stage.LABEL: 0.2,
    Stage.TRAIN: 0.6,
    Stage.EVALUATE: 0.1,
    Stage.EXPORT: 0.1,
    Stage.FORECAST: 0.1,
    Stage.REPORT_CARD: 1.0,
    Stage.PREDICT: 1.0,
}
# The end of a job is the end of its last transaction, and never forecast.
MOST_PERCENT = 99.9
# What must have been done and waited for before a rate is worth telling.
TELLING_SHARE = 0.03
TELLING_SECONDS = 1.0


class Eta:
    """Seconds of each stage: measured where it ended, extrapolated where it runs."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        life: Sequence[Stage] = LIVES[Purpose.DISTILL],
    ) -> None:
        self._clock = clock
        self._shares = {stage: EXPECTED_SHARE[stage] for stage in life}
        self._measured: dict[Stage, float] = {}
        self._current: Stage | None = None
        self._entered_at = 0.0
        self._first_share = 0.0
        self._share = 0.0
        self._percent = 0.0

    def ended(self, stage: Stage, *, seconds: float) -> None:
        """A stage is over, in this attempt or in an earlier one."""
        self._measured[stage] = seconds
        self._current = None

    def enter(self, stage: Stage) -> None:
        self._current, self._entered_at = stage, self._clock()
        self._first_share = self._share = 0.0

    def resume_at(self, share: float) -> None:
        """The stage goes on from a checkpoint: this much of it was not done just now."""
        self._first_share = self._share = share

    def advance(self, share: float) -> None:
        """How much of the current stage is done, in [0, 1]."""
        self._share = min(max(share, 0.0), 1.0)

    def percent(self) -> float:
        """In [0, 99.9]; never goes back within an attempt."""
        expected = self._expected()
        done = sum(expected[stage] for stage in self._measured)
        if self._current is not None:
            done += self._share * expected[self._current]
        share = done / sum(expected.values())
        self._percent = max(self._percent, min(MOST_PERCENT, round(100 * share, 1)))
        return self._percent

    def eta_seconds(self) -> int | None:
        """Seconds to the end of the job, or None while nothing measured says so.

        Labelling tells nothing about training, which is most of a job: no figure then.
        """
        if self._current in {None, Stage.LABEL} or self._seconds_of_current() is None:
            return None
        expected = self._expected()
        left = sum(seconds for stage, seconds in expected.items() if stage not in self._measured)
        assert self._current is not None
        return round(left - self._share * expected[self._current])

    def _seconds_of_current(self) -> float | None:
        done = self._share - self._first_share
        elapsed = self._clock() - self._entered_at
        if done < TELLING_SHARE or elapsed < TELLING_SECONDS:
            return None
        return elapsed / done

    def _expected(self) -> dict[Stage, float]:
        known = dict(self._measured)
        seconds = self._seconds_of_current()
        if self._current is not None and seconds is not None:
            known[self._current] = seconds
        weight = sum(self._shares[stage] for stage in known)
        scale = sum(known.values()) / weight if weight else 1.0
        return {
            stage: known.get(stage, max(scale, 1e-9) * share)
            for stage, share in self._shares.items()
        }
