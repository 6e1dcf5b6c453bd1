"""A wait is read however a server writes it, and garbage is no wait."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.calling.headers import asked_wait_s, told_limit, told_rest
from tests.core.calling.scripted_server import WALL

AT_ELEVEN = "Mon, 23 Nov 2026 11:00:00 GMT"
A_MINUTE_LATER = "Mon, 23 Nov 2026 11:01:00 GMT"


def wait(**headers: str) -> float | None:
    return asked_wait_s({name.replace("_", "-"): text for name, text in headers.items()}, now=WALL)


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("text", "seconds"), [("0", 0), ("1", 1), (" 3600 ", 3600), ("1.5", 1.5)]
    )
    def test_in_seconds(self, text: str, seconds: float) -> None:
        assert wait(retry_after=text) == seconds

    def test_in_milliseconds_is_finer_and_goes_first(self) -> None:
        assert wait(retry_after_ms="250", retry_after="1") == 0.25

    def test_garbage_in_milliseconds_gives_way_to_seconds(self) -> None:
        assert wait(retry_after_ms="soon", retry_after="2") == 2

    def test_as_a_date_counts_from_now(self) -> None:
        assert wait(retry_after=A_MINUTE_LATER) == 60

    def test_as_a_date_counts_from_the_servers_own_time_if_told(self) -> None:
        assert wait(retry_after=A_MINUTE_LATER, date="Mon, 23 Nov 2026 11:00:50 GMT") == 10

    def test_a_date_gone_by_is_no_wait(self) -> None:
        assert wait(retry_after="Mon, 23 Nov 2026 10:59:59 GMT") == 0

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "soon",
            "-1",
            "nan",
            "inf",
            "1e3",
            "1_000",
            "٣",
            "9" * 10,
            "9" * 5000,
            "Mon, 99 Nov 2026 11:01:00 GMT",
            "Mon, 23 Nov 99999 11:01:00 GMT",
        ],
    )
    def test_garbage_is_ignored(self, text: str) -> None:
        assert wait(retry_after=text) is None
        assert wait(retry_after_ms=text) is None

    @given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "date"]), st.text()))
    def test_whatever_is_sent_is_a_finite_wait_or_none(self, headers: dict[str, str]) -> None:
        seconds = asked_wait_s(headers, now=WALL)
        assert seconds is None or 0 <= seconds < float("inf")


class TestALimitUsedUp:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("1s", 1),
            ("6m0s", 360),
            ("120ms", 0.12),
            ("1h2m3.5s", 3723.5),
            ("2m59.56s", 179.56),
            ("1d", 86400),
        ],
    )
    def test_is_waited_for_until_it_opens(self, text: str, seconds: float) -> None:
        told = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": text}
        assert asked_wait_s(told, now=WALL) == pytest.approx(seconds)

    @pytest.mark.parametrize("text", ["", "m", "1795431600", "5 s", "-1s", "s1"])
    def test_garbage_is_ignored(self, text: str) -> None:
        told = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": text}
        assert asked_wait_s(told, now=WALL) is None

    def test_of_two_the_later_counts(self) -> None:
        told = {
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "9s",
            "x-ratelimit-remaining-tokens": "0",
            "x-ratelimit-reset-tokens": "4s",
        }
        assert asked_wait_s(told, now=WALL) == 9

    def test_a_limit_with_something_left_asks_for_no_wait(self) -> None:
        told = {"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "9s"}
        assert asked_wait_s(told, now=WALL) is None

    def test_a_plain_retry_after_goes_first(self) -> None:
        told = {
            "retry-after": "2",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "9s",
        }
        assert asked_wait_s(told, now=WALL) == 2


class TestAToldLimit:
    def test_is_read_for_requests_and_tokens(self) -> None:
        told = {"x-ratelimit-limit-requests": "500", "x-ratelimit-remaining-tokens": "29990"}
        assert told_limit(told, "requests") == 500
        assert told_limit(told, "tokens") is None
        assert told_rest(told, "tokens") == 29990

    @pytest.mark.parametrize("text", ["", "-1", "1.5", "many", "1" * 13])
    def test_garbage_is_ignored(self, text: str) -> None:
        assert told_limit({"x-ratelimit-limit-requests": text}, "requests") is None
