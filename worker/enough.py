"""How many labels training needs, and what to say when labelling was cut short of them."""

from core.lifecycle import StopReason
from llkd.errors import TooFewLabels
from llkd.types import Pool

# A class with fewer pseudo-labels cannot be learned, only memorized.
MIN_CLASSES = 2
MIN_PER_CLASS = 8
FEWEST = MIN_CLASSES * MIN_PER_CLASS
WHAT_ENDED = {
    StopReason.BUDGET: "The budget was reached",
    StopReason.TIME: "The time for labelling, three quarters of max_wall_seconds, was over",
}


def check_enough(pool: Pool, cut_short: StopReason | None) -> None:
    """Refuse what was left to learn from by a labelling that was cut short.

    A labelling that was not is judged by its labels alone; see `worker.pool.check_diversity`.

    Raises:
        TooFewLabels: with how many there are and how many are needed.
    """
    if cut_short is not None and len(pool) < FEWEST:
        raise too_few_labels(cut_short, labelled=len(pool))


def too_few_labels(cut_short: StopReason, *, labelled: int) -> TooFewLabels:
    return TooFewLabels(
        f"{WHAT_ENDED[cut_short]} when {labelled} texts to learn from had a label; training needs "
        f"at least {FEWEST}, {MIN_PER_CLASS} of each of {MIN_CLASSES} labels."
    )
