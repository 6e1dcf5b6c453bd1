"""How hard a teacher's server may be asked, and how long its failures are put up with."""

from dataclasses import dataclass

from core.calling.breaker import UNAVAILABLE_S


@dataclass(frozen=True)
class CallPolicy:
    """The figures of one server's pacing. Attempts and retries may be fewer than by default.

    Attributes:
        concurrency: calls in flight at most; the server may prove to bear fewer.
        requests_per_minute: None: as many as the server bears, or itself tells.
        tokens_per_minute: likewise, prompt and answer together.
        timeout_s: seconds of one attempt, from its connection to its last byte.
        attempts: of one request, the first one included.
        retry_share: retries over requests, beside a small allowance to begin with.
        park_after_failures: attempts failed in a row, of whatever requests.
        park_after_quiet_s: seconds in which attempts failed and none succeeded. Not below
            `timeout_s`: an attempt that takes its whole time must not look like an outage.
        longest_wait_s: a server that asks for more than this is left alone for so long.
        stay_away_s: how long a server that does not answer is left alone, if it asks for no more.

    Raises:
        ValueError: a figure is outside its range.
    """

    concurrency: int = 64
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    timeout_s: float = 60.0
    attempts: int = 3
    retry_share: float = 0.1
    park_after_failures: int = 20
    park_after_quiet_s: float = 300.0
    longest_wait_s: float = 600.0
    stay_away_s: float = UNAVAILABLE_S

    def __post_init__(self) -> None:
        _check_range("concurrency", self.concurrency, 1, 512)
        _check_range("requests_per_minute", self.requests_per_minute, 1, 1_000_000)
        _check_range("tokens_per_minute", self.tokens_per_minute, 1, 1_000_000_000)
        _check_range("timeout_s", self.timeout_s, 1, 600)
        _check_range("attempts", self.attempts, 1, 3)
        _check_range("retry_share", self.retry_share, 0, 0.1)
        _check_range("park_after_failures", self.park_after_failures, 1, 1000)
        _check_range("park_after_quiet_s", self.park_after_quiet_s, self.timeout_s, 3600)
        _check_range("longest_wait_s", self.longest_wait_s, 0, 3600)
        _check_range("stay_away_s", self.stay_away_s, 1, 3600)


def _check_range(name: str, value: float | None, least: float, most: float) -> None:
    # Written so that NaN, which compares with nothing, is refused as well.
    if value is not None and not least <= value <= most:
        raise ValueError(f"{name} is {value}; it must be within [{least}, {most}].")
