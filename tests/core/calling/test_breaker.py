"""A job is parked when asking on is of no use, and for the right reason."""

import pytest

from core.calling.breaker import AUTH_S, MOST_PARKED_S, QUOTA_S, UNAVAILABLE_S, Breaker, Park
from core.calling.failures import Failure, FailureKind

BUSY = Failure(FailureKind.SERVER, 503)


def breaker() -> Breaker:
    return Breaker(most_failures=20, quiet_s=300.0, longest_wait_s=600.0)


def parked(broken: Breaker) -> Park:
    with pytest.raises(Park) as raised:
        broken.check()
    return raised.value


class TestFailuresInARow:
    def test_nineteen_are_borne(self) -> None:
        broken = breaker()
        for _ in range(19):
            broken.fail(BUSY, began_at=0, now=1)
        broken.check()

    def test_the_twentieth_parks(self) -> None:
        broken = breaker()
        for _ in range(20):
            broken.fail(BUSY, began_at=0, now=1)
        park = parked(broken)
        assert park.code == "teacher-unavailable"
        assert park.after_s == UNAVAILABLE_S
        assert "20 attempts" in park.detail
        assert "503" in park.detail

    def test_a_success_begins_the_count_anew(self) -> None:
        broken = breaker()
        for _ in range(5):
            for _ in range(19):
                broken.fail(BUSY, began_at=0, now=1)
            broken.succeed(now=1)
        broken.check()


class TestTimeWithoutASuccess:
    def test_just_below_five_minutes_is_borne(self) -> None:
        broken = breaker()
        broken.succeed(now=100)
        broken.fail(BUSY, began_at=50, now=200)
        broken.fail(BUSY, began_at=390, now=399.9)
        broken.check()

    def test_five_minutes_park(self) -> None:
        broken = breaker()
        broken.succeed(now=100)
        broken.fail(BUSY, began_at=50, now=200)
        broken.fail(BUSY, began_at=390, now=400)
        assert parked(broken).code == "teacher-unavailable"

    def test_counts_from_the_start_of_the_first_attempt_if_none_ever_succeeded(self) -> None:
        broken = breaker()
        broken.fail(BUSY, began_at=1000, now=1060)
        broken.fail(BUSY, began_at=1240, now=1299)
        broken.check()
        broken.fail(BUSY, began_at=1240, now=1300)
        assert parked(broken)

    def test_begins_anew_with_every_success(self) -> None:
        broken = breaker()
        broken.fail(BUSY, began_at=0, now=1)
        broken.succeed(now=200)
        broken.fail(BUSY, began_at=390, now=400)
        broken.check()

    def test_does_not_count_while_nobody_asks(self) -> None:
        broken = breaker()
        broken.succeed(now=0)
        broken.fail(BUSY, began_at=10_000, now=10_001)
        broken.check()


class TestWhatNoRetryMends:
    def test_a_refused_key_parks_at_once(self) -> None:
        broken = breaker()
        broken.fail(Failure(FailureKind.AUTH, 401), began_at=0, now=0)
        park = parked(broken)
        assert (park.code, park.after_s) == ("teacher-auth", AUTH_S)

    def test_an_empty_account_parks_at_once(self) -> None:
        broken = breaker()
        broken.fail(Failure(FailureKind.QUOTA, 429), began_at=0, now=0)
        park = parked(broken)
        assert (park.code, park.after_s) == ("teacher-quota", QUOTA_S)


class TestALongWait:
    def test_of_ten_minutes_is_waited(self) -> None:
        broken = breaker()
        broken.fail(Failure(FailureKind.RATE_LIMITED, 429, wait_s=600), began_at=0, now=0)
        broken.check()

    def test_of_more_parks_for_as_long(self) -> None:
        broken = breaker()
        broken.fail(Failure(FailureKind.RATE_LIMITED, 429, wait_s=600.5), began_at=0, now=0)
        park = parked(broken)
        assert (park.code, park.after_s) == ("teacher-unavailable", 600.5)

    def test_a_server_that_is_silent_is_left_alone_for_as_long_as_was_said(self) -> None:
        broken = Breaker(most_failures=1, quiet_s=300.0, longest_wait_s=600.0, stay_away_s=30.0)
        broken.fail(Failure(FailureKind.CONNECT), began_at=0, now=0)
        assert parked(broken).after_s == 30.0

    def test_never_parks_for_more_than_a_day(self) -> None:
        broken = breaker()
        broken.fail(Failure(FailureKind.SERVER, 503, wait_s=999_999_999), began_at=0, now=0)
        assert parked(broken).after_s == MOST_PARKED_S


class TestParked:
    def test_the_first_reason_stands(self) -> None:
        broken = breaker()
        broken.fail(Failure(FailureKind.AUTH, 401), began_at=0, now=0)
        broken.fail(Failure(FailureKind.QUOTA, 402), began_at=0, now=0)
        broken.succeed(now=1)
        assert parked(broken).code == "teacher-auth"

    def test_the_detail_quotes_nothing_of_the_server(self) -> None:
        broken = breaker()
        failure = Failure(FailureKind.AUTH, 401, code="canary", message="key sk-canary is wrong")
        broken.fail(failure, began_at=0, now=0)
        assert "canary" not in str(parked(broken))
