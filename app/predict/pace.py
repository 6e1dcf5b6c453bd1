"""How fast a model answers: measured batch by batch, with a sane value before the first."""

# About 120 texts of 42 tokens a second and thread, which a small encoder does on one core.
START_SECONDS_A_TOKEN = 2e-4
# A batch's weight: ten batches ago counts a third.
WEIGHT = 0.1


class Pace:
    """A moving average of seconds a token and thread, padding and all overhead included.

    Attributes:
        seconds_a_token: of a token that was read, on one thread.
        seconds_a_batch: of a batch, whatever its size.
    """

    __slots__ = ("_batches", "seconds_a_batch", "seconds_a_token")

    def __init__(self) -> None:
        self.seconds_a_token = START_SECONDS_A_TOKEN
        self.seconds_a_batch = 0.01
        self._batches = 0

    def count(self, *, seconds: float, tokens: int) -> None:
        """Take one more batch into account."""
        # The first ones replace the guess soon, without one of them deciding alone.
        self._batches += 1
        weight = max(WEIGHT, 1 / (1 + self._batches))
        self.seconds_a_token += weight * (seconds / tokens - self.seconds_a_token)
        self.seconds_a_batch += weight * (seconds - self.seconds_a_batch)
