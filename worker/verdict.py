"""What the end of a child means for its job."""

import signal
from dataclasses import dataclass
from enum import StrEnum

from core.lifecycle import JobState
from worker.problems import deadline_passed
from worker.protocol import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_GHOST,
    EXIT_RELEASED,
    Ending,
    Failed,
    Json,
    Parked,
    Succeeded,
)


class StopCause(StrEnum):
    """Why a supervisor stopped its child."""

    DRAIN = "drain"
    CANCEL = "cancel"
    DEADLINE = "deadline"
    STALL = "stall"
    GHOST = "ghost"
    # Of an assistant: a job waits for its slot.
    YIELD = "yield"


@dataclass(frozen=True)
class Finish:
    state: JobState
    result: Json | None = None
    error: Json | None = None


@dataclass(frozen=True)
class Release:
    reason: str


@dataclass(frozen=True)
class Park:
    """The job's teacher cannot be asked for so many seconds."""

    problem: Json
    after_s: float


@dataclass(frozen=True)
class Crash:
    detail: str


@dataclass(frozen=True)
class LeaveAlone:
    """The job, or the shard, is another attempt's."""


@dataclass(frozen=True)
class NothingLeft:
    """An assistant has put down its last shard."""


Verdict = Finish | Release | Park | Crash | LeaveAlone
ShardVerdict = NothingLeft | Release | Crash | LeaveAlone


def judge(
    exit_code: int,
    *,
    ending: Ending | None,
    cause: StopCause | None,
    failed_at: str,
    stage: str,
) -> Verdict:
    """Decide by how the child ended, what it said last, and why it was stopped, if it was.

    A finished result stands, whatever came too late to stop it. What a child says
    after it was told to stop is not believed otherwise: the same signal may have
    ended a process of its own, and that is no fault of the job.
    """
    if cause is StopCause.GHOST or exit_code == EXIT_GHOST:
        return LeaveAlone()
    if exit_code == EXIT_DONE and isinstance(ending, Succeeded):
        return Finish(JobState.SUCCEEDED, result=ending.result)
    match cause:
        case StopCause.CANCEL:
            return Finish(JobState.CANCELLED)
        case StopCause.DEADLINE:
            return Finish(JobState.FAILED, error=deadline_passed(stage))
        case StopCause.STALL:
            return Crash(f"no progress in stage {stage} for too long")
        case StopCause.DRAIN:
            return Release("drain")
    if exit_code == EXIT_FAILED and isinstance(ending, Failed):
        return Finish(JobState.FAILED, error=ending.problem)
    if exit_code == EXIT_RELEASED and isinstance(ending, Parked):
        return Park(ending.problem, ending.after_s)
    if exit_code == EXIT_RELEASED:
        return Release("worker host is stopping")
    return Crash(_how_it_died(exit_code, failed_at))


def judge_assistant(
    exit_code: int,
    *,
    ending: Ending | None,
    cause: StopCause | None,
    failed_at: str,
) -> ShardVerdict:
    """The same for an assistant, whose end means nothing for the job.

    A failure it could name is a crash too: it is for the owner to judge the job's teacher.
    """
    if cause is StopCause.GHOST or exit_code == EXIT_GHOST:
        return LeaveAlone()
    if exit_code == EXIT_DONE and isinstance(ending, Succeeded):
        return NothingLeft()
    if cause is StopCause.STALL:
        return Crash("no progress for too long")
    if cause is not None:
        return Release(cause.value)
    if exit_code == EXIT_RELEASED:
        return Release("worker host is stopping")
    return Crash(_how_it_died(exit_code, failed_at))


def _how_it_died(exit_code: int, failed_at: str) -> str:
    try:
        how = signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"
    except ValueError:
        how = f"signal {-exit_code}"
    return f"the job's process ended by {how}" + (f" at {failed_at}" if failed_at else "")
