"""No minute sees more requests or tokens than allowed, and nobody is overtaken."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.calling.limits import BURST_S, Bucket, RateLimits
from tests.core.calling.virtual_time import now, run


def limits(*, requests: int | None = None, tokens: int | None = None) -> RateLimits:
    return RateLimits(
        requests_per_minute=requests, tokens_per_minute=tokens, clock=now, rest=asyncio.sleep
    )


def admissions(
    amounts: Sequence[int],
    *,
    requests: int | None = None,
    tokens: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> list[tuple[float, int]]:
    """When each request of so many tokens went out, all of them asked for at once."""
    out: list[tuple[float, int]] = []

    async def scenario() -> None:
        gate = limits(requests=requests, tokens=tokens)
        gate.learn(headers or {})

        async def one(amount: int) -> None:
            await gate.admit(amount)
            out.append((now(), amount))

        await asyncio.gather(*(one(amount) for amount in amounts))

    run(scenario())
    return out


def most_in_a_minute(out: Sequence[tuple[float, int]], *, weighed: bool) -> int:
    """The most requests, or tokens if weighed, within any 60 s."""
    return max(
        sum((amount if weighed else 1) for at, amount in out if begin <= at < begin + 60)
        for begin, _ in out
    )


class TestRequestsAMinute:
    def test_are_kept_in_every_minute(self) -> None:
        out = admissions([1] * 400, requests=120)
        assert most_in_a_minute(out, weighed=False) <= 120 + 120 * BURST_S / 60

    def test_are_used_up(self) -> None:
        out = admissions([1] * 400, requests=120)
        assert out[-1][0] == pytest.approx((400 - 2) * 0.5, abs=1)

    def test_come_evenly(self) -> None:
        assert [at for at, _ in admissions([1] * 4, requests=60)] == pytest.approx(
            [0, 1, 2, 3], abs=0.01
        )

    def test_without_a_limit_all_go_at_once(self) -> None:
        assert {at for at, _ in admissions([10_000] * 100)} == {0.0}


class TestTokensAMinute:
    def test_are_kept_in_every_minute(self) -> None:
        out = admissions([300] * 200, tokens=30_000)
        assert most_in_a_minute(out, weighed=True) <= 30_000 + 30_000 * BURST_S / 60

    def test_let_a_request_beyond_the_burst_out_of_a_full_bucket_and_then_pay_for_it(self) -> None:
        # 10 a second, a burst of 10: 100 leave a debt of 90 and 10 more to fill it.
        out = admissions([100, 100, 100], tokens=600)
        assert [at for at, _ in out] == pytest.approx([0, 10, 20], abs=0.05)

    def test_that_were_overestimated_are_given_back(self) -> None:
        async def scenario() -> float:
            gate = limits(tokens=600)
            await gate.admit(100)
            gate.correct(estimated=100, used=40)
            await gate.admit(10)
            return now()

        assert run(scenario()) == pytest.approx(4, abs=0.05)

    def test_given_back_shorten_a_wait_that_has_begun(self) -> None:
        async def scenario() -> float:
            gate = limits(tokens=600)
            await gate.admit(600)
            waiting = asyncio.ensure_future(gate.admit(10))
            await asyncio.sleep(5)
            gate.correct(estimated=600, used=10)
            await waiting
            return now()

        assert 5 <= run(scenario()) <= 6.1

    def test_that_were_underestimated_are_charged(self) -> None:
        async def scenario() -> float:
            gate = limits(tokens=600)
            await gate.admit(10)
            gate.correct(estimated=10, used=110)
            await gate.admit(10)
            return now()

        assert run(scenario()) == pytest.approx(11, abs=0.05)

    def test_given_back_never_fill_a_bucket_beyond_its_burst(self) -> None:
        bucket = Bucket(600, now=0)
        bucket.correct(estimated=1000, used=0)
        bucket.spend(10)
        assert bucket.wait_s(10, now=0) == 1


class TestBoth:
    @pytest.mark.parametrize(("amount", "last"), [(1, 99), (30, 150)])
    def test_the_tighter_one_counts(self, amount: int, last: float) -> None:
        out = admissions([amount] * 100, requests=60, tokens=1200)
        assert out[-1][0] == pytest.approx(last, abs=2)

    @settings(max_examples=50)
    @given(
        amounts=st.lists(st.integers(0, 2000), min_size=1, max_size=60),
        requests=st.integers(1, 600),
        tokens=st.integers(1, 60_000),
    )
    def test_are_kept_whatever_is_asked(
        self, amounts: list[int], requests: int, tokens: int
    ) -> None:
        out = admissions(amounts, requests=requests, tokens=tokens)
        assert [amount for _, amount in out] == amounts
        burst = max(1.0, requests * BURST_S / 60)
        assert most_in_a_minute(out, weighed=False) <= requests + burst + 1e-6
        burst = max(1.0, tokens * BURST_S / 60, *amounts)
        assert most_in_a_minute(out, weighed=True) <= tokens + burst + 1e-6


class TestTheLine:
    def test_is_first_come_first_served_also_for_small_requests(self) -> None:
        amounts = [500, 1, 1, 500, 1]
        assert [amount for _, amount in admissions(amounts, tokens=600)] == amounts

    def test_goes_on_without_those_who_left(self) -> None:
        async def scenario() -> float:
            gate = limits(requests=60)
            await gate.admit(1)
            left = [asyncio.ensure_future(gate.admit(1)) for _ in range(50)]
            await asyncio.sleep(0.5)
            for task in left:
                task.cancel()
            await gate.admit(1)
            return now()

        assert run(scenario()) == pytest.approx(1, abs=0.01)


class TestWhatTheServerTells:
    def test_a_lower_limit_is_kept(self) -> None:
        out = admissions([1] * 10, requests=600, headers={"x-ratelimit-limit-requests": "60"})
        assert out[-1][0] == pytest.approx(9, abs=0.1)

    def test_a_higher_limit_changes_nothing(self) -> None:
        out = admissions([1] * 10, requests=60, headers={"x-ratelimit-limit-requests": "600"})
        assert out[-1][0] == pytest.approx(9, abs=0.1)

    def test_a_limit_is_learnt_where_none_was_known(self) -> None:
        out = admissions([100] * 10, headers={"x-ratelimit-limit-tokens": "6000"})
        assert out[-1][0] == pytest.approx(9, abs=0.1)

    def test_nothing_left_is_believed(self) -> None:
        told = {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "0"}
        assert admissions([1], headers=told)[0][0] == pytest.approx(1, abs=0.01)

    @pytest.mark.parametrize("text", ["0", "-5", "many", ""])
    def test_a_limit_of_nothing_is_garbage(self, text: str) -> None:
        out = admissions([1] * 100, headers={"x-ratelimit-limit-requests": text})
        assert out[-1][0] == 0

    def test_a_pause_holds_everyone(self) -> None:
        async def scenario() -> list[float]:
            gate = limits()
            gate.pause(30)
            gate.pause(5)
            times = []
            for _ in range(2):
                await gate.admit(1)
                times.append(now())
            return times

        assert run(scenario()) == pytest.approx([30, 30], abs=0.01)

    def test_a_pause_holds_also_those_who_wait_already(self) -> None:
        async def scenario() -> float:
            gate = limits(requests=60)
            await gate.admit(1)
            waiting = asyncio.ensure_future(gate.admit(1))
            await asyncio.sleep(0.5)
            gate.pause(20)
            await waiting
            return now()

        assert run(scenario()) == pytest.approx(20.5, abs=0.01)
