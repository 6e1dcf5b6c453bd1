"""Three attempts a request, a tenth of all requests, and never all at the same time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.calling.failures import Failure, FailureKind
from core.calling.retries import ALLOWANCE, MOST_WAIT_S, Retries

BUSY = Failure(FailureKind.SERVER, 503)


def retries(*, attempts: int = 3, share: float = 0.1, random: float = 0.5) -> Retries:
    return Retries(attempts=attempts, share=share, random=lambda: random)


def granted(given: Retries, wanted: int) -> int:
    return sum(given.take(BUSY, attempts=1) is not None for _ in range(wanted))


class TestARequest:
    def test_is_tried_three_times_and_no_fourth(self) -> None:
        given = retries()
        assert given.take(BUSY, attempts=2) is not None
        assert given.take(BUSY, attempts=3) is None

    def test_that_cannot_succeed_is_not_tried_again(self) -> None:
        assert retries().take(Failure(FailureKind.REFUSED, 400), attempts=1) is None


class TestTheBudget:
    def test_grants_its_allowance_to_the_first_failures(self) -> None:
        assert granted(retries(), ALLOWANCE + 5) == ALLOWANCE

    def test_earns_one_retry_with_ten_requests(self) -> None:
        given = retries()
        granted(given, ALLOWANCE)
        for _ in range(9):
            given.earn()
        assert granted(given, 1) == 0
        # Tenths do not add up to exactly 1 in binary: at worst it is one request later.
        given.earn()
        given.earn()
        assert granted(given, 5) == 1

    def test_saves_up_no_storm_in_a_good_spell(self) -> None:
        given = retries()
        for _ in range(100_000):
            given.earn()
        assert granted(given, 1000) == ALLOWANCE

    def test_a_refused_request_costs_nothing(self) -> None:
        given = retries()
        for _ in range(100):
            given.take(Failure(FailureKind.REFUSED, 400), attempts=1)
        assert granted(given, 100) == ALLOWANCE

    def test_without_a_share_ends_with_its_allowance(self) -> None:
        given = retries(share=0.0)
        for _ in range(1000):
            given.earn()
        assert granted(given, 1000) == ALLOWANCE

    @given(st.lists(st.booleans(), max_size=2000), st.sampled_from([0.0, 0.01, 0.05, 0.1]))
    def test_holds_whatever_fails_and_when(self, fails: list[bool], share: float) -> None:
        given, made, requests = retries(share=share), 0, 0
        for failed in fails:
            if failed:
                made += granted(given, 1)
            else:
                requests += 1
                given.earn()
            assert made <= share * requests + ALLOWANCE


class TestTheWait:
    @pytest.mark.parametrize(("attempts", "bound"), [(1, 1.0), (2, 2.0), (3, 4.0)])
    def test_is_anywhere_below_a_bound_that_doubles(self, attempts: int, bound: float) -> None:
        for random in (0.0, 0.25, 1.0):
            wait = retries(attempts=9, random=random).take(BUSY, attempts=attempts)
            assert wait == random * bound

    def test_has_a_longest(self) -> None:
        assert retries(attempts=99, random=1.0).take(BUSY, attempts=50) == MOST_WAIT_S

    @pytest.mark.parametrize(("asked", "expected"), [(0.1, 0.5), (0.5, 0.5), (30.0, 30.0)])
    def test_is_at_least_what_the_server_asked_for(self, asked: float, expected: float) -> None:
        busy = Failure(FailureKind.RATE_LIMITED, 429, wait_s=asked)
        assert retries().take(busy, attempts=1) == expected
