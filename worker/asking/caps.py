"""What a job's caps on money and calls leave, and when a person should hear of it."""

from collections.abc import Sequence
from itertools import accumulate

from core.db.tables import JobRow
from core.prices import MICROS
from llkd.types import Json

# Of a cap: early enough to decide what comes next, late enough to mean something.
WARNING_SHARE = 0.8


def room(job: JobRow, micros: Sequence[int]) -> int:
    """How many of these calls, from the first on, both caps have room for.

    Args:
        micros: the most each call can cost.
    """
    calls = len(micros)
    if job.cap_calls is not None:
        calls = min(calls, max(0, job.cap_calls - job.spent_calls - job.held_calls))
    if job.cap_micros is not None:
        left = job.cap_micros - job.spent_micros - job.held_micros
        calls = min(calls, sum(total <= left for total in accumulate(micros)))
    return calls


def has_caps(job: JobRow) -> bool:
    return job.cap_calls is not None or job.cap_micros is not None


def is_nearly_spent(job: JobRow) -> bool:
    """Whether `WARNING_SHARE` of a cap is spent; never of a job without caps."""
    pairs = ((job.spent_calls, job.cap_calls), (job.spent_micros, job.cap_micros))
    return any(cap is not None and spent >= WARNING_SHARE * cap for spent, cap in pairs)


def tell_spending(job: JobRow) -> Json:
    """What is spent, and of how much, by the names that a request has; null for no cap."""
    return {
        "spent_usd": job.spent_micros / MICROS,
        "max_usd": None if job.cap_micros is None else job.cap_micros / MICROS,
        "teacher_calls": job.spent_calls,
        "max_teacher_calls": job.cap_calls,
    }
