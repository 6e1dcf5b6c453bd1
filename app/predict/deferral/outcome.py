"""What comes of a text that is passed on to a model's teacher."""

from dataclasses import dataclass
from enum import StrEnum


class DeferralStatus(StrEnum):
    """What became of one text; only the first two come with a label."""

    ANSWERED = "answered"
    # Answered before, in training or since: nothing was paid.
    CACHED = "cached"
    # The teacher declined, gave no label, or cannot read so much; known for a day.
    REFUSED = "refused"
    MALFORMED = "malformed"
    TOO_LONG = "too_long"
    # White space alone: there is nothing to ask.
    BLANK = "blank"
    # The caps leave no room for another call.
    BUDGET = "budget"
    # No answer in time. One that comes later is stored.
    TIMEOUT = "timeout"
    # As many texts wait for this teacher as may.
    BUSY = "busy"
    # The server failed, is being left alone after failures, or may not be called.
    FAILED = "failed"


@dataclass(frozen=True)
class Deferred:
    """What a model's teacher says of one text, or why it says nothing.

    Attributes:
        label: index into the model's labels; None unless answered or cached.
        probabilities: of each label, in the model's order; None where the teacher tells none. As
            the teacher gave them: no calibration of the job's is applied.
        model: the name by which the server calls what answered; None where nothing did.
    """

    status: DeferralStatus
    label: int | None = None
    probabilities: tuple[float, ...] | None = None
    model: str | None = None
