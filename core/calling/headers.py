"""What a reply's headers tell of waiting and of limits; garbage in them tells nothing."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# Longer figures are no waits: bounded digits also keep every number finite.
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?", re.ASCII)
_COUNT = re.compile(r"\d{1,12}", re.ASCII)
_DURATION = re.compile(
    r"(?:(?P<d>\d{1,4})d)?(?:(?P<h>\d{1,6})h)?(?:(?P<m>\d{1,6})m(?!s))?"
    r"(?:(?P<s>\d{1,9}(?:\.\d{1,9})?)s)?(?:(?P<ms>\d{1,9}(?:\.\d{1,9})?)ms)?",
    re.ASCII,
)
_UNIT_SECONDS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def asked_wait_s(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds that a failing reply asks to wait, or None if it asks for nothing.

    `retry-after-ms` is finer than `retry-after` and goes first; without either, the time
    after which a limit that is used up is open again.

    Args:
        headers: their names in lower case.
        now: seconds since 1970. It only serves for a date that comes without the server's
            own time, which is better: the two clocks may differ.

    Source: RFC 9110, 10.2.3; the headers of OpenAI's API for the rest.
    """
    milliseconds = _seconds(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    after = headers.get("retry-after")
    if after is not None:
        wait = _seconds(after)
        wait = _until(after, headers=headers, now=now) if wait is None else wait
        if wait is not None:
            return wait
    return _reset_s(headers)


def told_limit(headers: Mapping[str, str], unit: str) -> int | None:
    """How many of these a minute the server allows; `unit` is `requests` or `tokens`."""
    return _count(headers.get(f"x-ratelimit-limit-{unit}"))


def told_rest(headers: Mapping[str, str], unit: str) -> int | None:
    """How many of these the server still has for us."""
    return _count(headers.get(f"x-ratelimit-remaining-{unit}"))


def _reset_s(headers: Mapping[str, str]) -> float | None:
    waits = [
        _duration_s(headers.get(f"x-ratelimit-reset-{unit}", ""))
        for unit in ("requests", "tokens")
        if told_rest(headers, unit) == 0
    ]
    return max((wait for wait in waits if wait is not None), default=None)


def _seconds(text: str) -> float | None:
    match = _SECONDS.fullmatch(text.strip())
    return float(match.group()) if match else None


def _count(text: str | None) -> int | None:
    match = None if text is None else _COUNT.fullmatch(text.strip())
    return int(match.group()) if match else None


def _until(text: str, *, headers: Mapping[str, str], now: float) -> float | None:
    then = _date(text)
    if then is None:
        return None
    server_now = _date(headers.get("date", ""))
    return max(0.0, then - (now if server_now is None else server_now))


def _date(text: str) -> float | None:
    """Seconds since 1970 of an HTTP date, which is in UTC whatever it says."""
    try:
        date: datetime = parsedate_to_datetime(text)
        return date.replace(tzinfo=date.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def _duration_s(text: str) -> float | None:
    """`6m0s`, `1.5s` or `120ms`, in seconds."""
    match = _DURATION.fullmatch(text.strip())
    parts = [] if match is None else [(u, n) for u, n in match.groupdict().items() if n]
    return sum(float(number) * _UNIT_SECONDS[unit] for unit, number in parts) if parts else None
