"""A call comes to its answer or to a named end, and a parked job posts nothing more."""

import asyncio
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.calling.breaker import Park
from core.calling.caller import PacedCaller
from core.calling.failures import FailureKind
from core.calling.figures import CallFigures
from core.calling.outcomes import Answered, Called, Unanswered, WhyNot
from core.calling.policy import CallPolicy
from core.calling.retries import ALLOWANCE
from tests.core.calling.scripted_server import (
    ScriptedReply,
    Server,
    Step,
    TransportFailed,
    caller_of,
    error,
)
from tests.core.calling.virtual_time import now, run

HTML = ScriptedReply(body=b"<html>Sign in</html>")
NAN = error(500, {"message": "Out of range float values are not JSON compliant"})


def call(server: Server, **policy: Any) -> Called:
    """One call in virtual time."""

    async def scenario() -> Called:
        return await caller_of(server, **policy).call("/chat", b"{}", tokens=100)

    return run(scenario())


async def call_all(
    caller: PacedCaller, count: int, *, tokens: int = 1
) -> list[Called | BaseException]:
    return await asyncio.gather(
        *(caller.call("/chat", b"%d" % number, tokens=tokens) for number in range(count)),
        return_exceptions=True,
    )


def ends(called: Called) -> tuple[WhyNot, FailureKind]:
    assert isinstance(called.result, Unanswered)
    return called.result.why, called.result.failure.kind


class TestAnAnswer:
    def test_comes_with_the_first_attempt(self) -> None:
        server = Server([ScriptedReply(body=b'{"id": 7}')])
        called = call(server)
        assert called.result == Answered({"id": 7})
        assert (called.attempts, called.timeouts, len(server.posts)) == (1, 0, 1)

    @pytest.mark.parametrize(
        "failure",
        [
            error(408),
            error(409),
            error(425),
            error(429),
            error(500),
            error(503),
            HTML,
            *map(TransportFailed, ("connect", "reset", "timeout", "dns", "protocol")),
        ],
        ids=str,
    )
    def test_comes_with_the_third_after_what_may_pass(self, failure: Step) -> None:
        called = call(Server([failure, failure]))
        assert isinstance(called.result, Answered)
        assert called.attempts == 3

    def test_settles_the_estimate_at_what_was_used(self) -> None:
        async def scenario() -> float:
            reply = ScriptedReply(body=b'{"usage": {"total_tokens": 70}}')
            caller = caller_of(Server([reply], latency_s=0), tokens_per_minute=600)
            await caller.call("/chat", b"{}", tokens=10)
            await caller.call("/chat", b"{}", tokens=10)
            return now()

        assert run(scenario()) == pytest.approx(7, abs=0.05)

    @pytest.mark.parametrize(
        "usage", ["null", "[]", '{"total_tokens": true}', '{"total_tokens": -9}', '"all"']
    )
    def test_with_garbage_for_its_usage_stays_at_the_estimate(self, usage: str) -> None:
        async def scenario() -> float:
            reply = ScriptedReply(body=b'{"usage": %s}' % usage.encode())
            caller = caller_of(Server([reply], latency_s=0), tokens_per_minute=600)
            await caller.call("/chat", b"{}", tokens=10)
            await caller.call("/chat", b"{}", tokens=10)
            return now()

        assert run(scenario()) == pytest.approx(1, abs=0.05)


class TestALimitToldByTheServer:
    @pytest.mark.parametrize("status", [200, 400])
    def test_is_kept_by_the_calls_that_follow(self, status: int) -> None:
        async def scenario() -> float:
            reply = ScriptedReply(status, {"x-ratelimit-limit-requests": "60"})
            caller = caller_of(Server([reply], latency_s=0))
            for _ in range(4):
                await caller.call("/chat", b"{}", tokens=1)
            return now()

        # The first told the limit, the second took what the full bucket held.
        assert run(scenario()) == pytest.approx(2, abs=0.01)


class TestARefusedRequest:
    @pytest.mark.parametrize("status", [400, 413, 422])
    def test_is_not_made_again(self, status: int) -> None:
        body = {"error": {"code": "content_filter", "message": "This is not allowed."}}
        server = Server(rest=error(status, body))
        called = call(server)
        assert isinstance(called.result, Unanswered)
        assert called.result.why is WhyNot.REFUSED_BY_SERVER
        assert called.result.failure.status == status
        assert called.result.failure.code == "content_filter"
        assert called.result.failure.message == "This is not allowed."
        assert len(server.posts) == 1

    def test_speaks_not_against_the_server(self) -> None:
        async def scenario() -> CallFigures:
            caller = caller_of(Server(rest=error(400)), concurrency=16)
            await call_all(caller, 500)
            return caller.figures

        figures = run(scenario())
        assert figures.outcomes == {"refused_by_server": 500}
        assert figures.concurrency == 16

    def test_between_two_failures_shows_that_the_server_lives(self) -> None:
        async def scenario() -> CallFigures:
            caller = caller_of(Server([error(503), error(400)] * 50), concurrency=1, attempts=1)
            await call_all(caller, 100)
            return caller.figures

        assert run(scenario()).outcomes == {"gave_up": 50, "refused_by_server": 50}

    def test_whose_numbers_are_no_json_is_ended_for_good(self) -> None:
        server = Server(rest=NAN)
        assert ends(call(server)) == (WhyNot.PERMANENT, FailureKind.NON_FINITE)
        assert len(server.posts) == 1

    def test_whose_reply_is_too_large_is_ended_for_good(self) -> None:
        server = Server(rest=TransportFailed("too_large"))
        assert ends(call(server)) == (WhyNot.PERMANENT, FailureKind.TOO_LARGE)
        assert len(server.posts) == 1


class TestGivingUp:
    def test_comes_after_three_attempts(self) -> None:
        server = Server(rest=error(503))
        called = call(server)
        assert ends(called) == (WhyNot.GAVE_UP, FailureKind.SERVER)
        assert called.attempts == len(server.posts) == 3

    @pytest.mark.parametrize(
        "failure",
        [error(404), error(501), *map(TransportFailed, ("forbidden", "tls", "redirect"))],
        ids=str,
    )
    def test_comes_at_once_where_no_retry_mends(self, failure: Step) -> None:
        server = Server(rest=failure)
        assert ends(call(server))[0] is WhyNot.GAVE_UP
        assert len(server.posts) == 1

    def test_a_policy_may_allow_no_retry(self) -> None:
        server = Server(rest=error(503))
        assert call(server, attempts=1).attempts == len(server.posts) == 1

    def test_a_defect_of_the_transport_is_not_hidden(self) -> None:
        server = Server([KeyError("a defect")])
        with pytest.raises(KeyError, match="a defect"):
            call(server)


class TestATimeout:
    def test_is_counted_for_whoever_settles_the_budget(self) -> None:
        called = call(Server([TransportFailed("timeout"), error(504)]))
        assert isinstance(called.result, Answered)
        assert (called.attempts, called.timeouts, called.effort.maybe_billed) == (3, 2, 2)

    def test_other_lost_replies_may_be_billed_too(self) -> None:
        called = call(Server([TransportFailed("reset"), HTML]))
        assert (called.timeouts, called.effort.maybe_billed) == (0, 2)

    @pytest.mark.parametrize(("latency_s", "timeouts"), [(59.9, 0), (60.1, 3)])
    def test_ends_a_transport_that_hangs(self, latency_s: float, timeouts: int) -> None:
        server = Server(latency_s=latency_s)
        assert call(server, timeout_s=60).timeouts == timeouts
        assert server.at_once == 0


class TestTheWait:
    def posts(self, *script: Step, **policy: Any) -> list[float]:
        server = Server(script, latency_s=0)
        call(server, **policy)
        return [at for at, _ in server.posts]

    def test_doubles_its_bound_from_attempt_to_attempt(self) -> None:
        assert self.posts(error(503), error(503)) == pytest.approx([0, 0.5, 1.5], abs=0.01)

    @pytest.mark.parametrize(
        ("told", "wait_s"),
        [
            ({"retry_after": "5"}, 5),
            ({"retry_after": "0"}, 0.5),
            ({"retry_after_ms": "2500"}, 2.5),
            ({"retry_after": "Mon, 23 Nov 2026 11:00:09 GMT"}, 9),
            ({"retry_after": "after lunch"}, 0.5),
            ({"retry_after": "600"}, 600),
        ],
    )
    def test_is_as_long_as_the_server_asks(self, told: dict[str, str], wait_s: float) -> None:
        assert self.posts(error(429, **told)) == pytest.approx([0, wait_s], abs=0.01)

    def test_concerns_every_call_once_a_server_asked_for_it(self) -> None:
        async def scenario() -> list[float]:
            server = Server([error(429, retry_after="30")], latency_s=0)
            caller = caller_of(server, concurrency=1)
            await call_all(caller, 3)
            return [at for at, _ in server.posts]

        assert run(scenario()) == pytest.approx([0, 30, 30, 30], abs=0.01)

    def test_is_slept_by_the_sleep_it_is_given(self) -> None:
        slept: list[float] = []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        async def scenario() -> Called:
            server = Server([error(503), error(503)], latency_s=0)
            caller = PacedCaller(server.post, CallPolicy(), sleep=sleep, random=lambda: 0.5)
            return await caller.call("/chat", b"{}", tokens=1)

        assert isinstance(run(scenario()).result, Answered)
        assert slept == [0.5, 1.0]

    def test_holds_no_slot(self) -> None:
        async def scenario() -> list[float]:
            server = Server([TransportFailed("reset")], latency_s=0.1)
            await call_all(caller_of(server, concurrency=1), 3)
            return [at for at, _ in server.posts]

        assert run(scenario()) == pytest.approx([0, 0.1, 0.2, 0.6], abs=0.01)


class TestTheRetryBudget:
    @settings(max_examples=60)
    @given(
        steps=st.lists(
            st.sampled_from(
                [
                    ScriptedReply(),
                    HTML,
                    NAN,
                    error(400),
                    error(429, retry_after="1"),
                    error(500),
                    error(503, retry_after_ms="10"),
                    TransportFailed("reset"),
                    TransportFailed("timeout"),
                    TransportFailed("tls"),
                ]
            ),
            max_size=300,
        ),
        rest=st.sampled_from([ScriptedReply(), error(503)]),
        requests=st.integers(1, 200),
        concurrency=st.integers(1, 64),
    )
    def test_holds_whatever_fails(
        self, steps: list[Step], rest: Step, requests: int, concurrency: int
    ) -> None:
        async def scenario() -> None:
            server = Server(steps, rest=rest)
            caller = caller_of(server, concurrency=concurrency, park_after_failures=1000)
            called = await call_all(caller, requests)
            figures = caller.figures
            retries = len(server.posts) - requests
            parked = sum(isinstance(outcome, Park) for outcome in called)
            assert retries <= 0.1 * requests + ALLOWANCE
            assert figures.in_flight == 0
            assert sum(figures.outcomes.values()) + parked == requests
            assert figures.attempts == len(server.posts)
            if not parked:
                assert retries == figures.retries
            for outcome in called:
                assert isinstance(outcome, Called | Park)
                assert outcome.effort.attempts <= 3

        run(scenario())

    def test_lets_a_good_server_with_bad_moments_lose_no_request(self) -> None:
        async def scenario() -> CallFigures:
            steps = [error(503) if number % 20 == 7 else ScriptedReply() for number in range(2000)]
            caller = caller_of(Server(steps))
            await call_all(caller, 1500)
            return caller.figures

        figures = run(scenario())
        assert figures.outcomes == {"answered": 1500}
        assert 0.04 < figures.retry_share < 0.06


class TestTheLimit:
    def test_converges_to_what_a_server_bears(self) -> None:
        class Small(Server):
            """Bears eight at once and refuses the ninth immediately."""

            async def post(self, path: str, body: bytes) -> ScriptedReply:
                if self.at_once >= 8:
                    self.posts.append((now(), body))
                    return error(503)
                return await super().post(path, body)

        async def scenario() -> tuple[Small, CallFigures, list[int]]:
            server, limits = Small(latency_s=0.2), []
            caller = caller_of(server, random=lambda: 0.1)

            async def watch() -> None:
                while True:
                    await asyncio.sleep(0.1)
                    limits.append(caller.figures.concurrency)

            watching = asyncio.ensure_future(watch())
            await call_all(caller, 3000)
            watching.cancel()
            return server, caller.figures, limits

        server, figures, limits = run(scenario())
        settled = limits[len(limits) // 2 :]
        assert max(settled) <= 9
        assert min(settled) >= 4
        assert sum(settled) / len(settled) > 5.5
        assert figures.outcomes["answered"] == 3000
        assert server.most_at_once == 8

    def test_is_reached_by_a_server_that_bears_all(self) -> None:
        async def scenario() -> tuple[int, int]:
            server = Server()
            caller = caller_of(server, concurrency=20)
            await call_all(caller, 1000)
            return server.most_at_once, caller.figures.concurrency

        assert run(scenario()) == (20, 20)


class TestFairness:
    def test_calls_go_out_in_the_order_they_came(self) -> None:
        async def scenario() -> list[bytes]:
            server = Server()
            await call_all(caller_of(server, concurrency=5, requests_per_minute=600), 100)
            return [body for _, body in server.posts]

        assert run(scenario()) == [b"%d" % number for number in range(100)]

    def test_no_minute_sees_more_than_the_policy_allows(self) -> None:
        async def scenario() -> list[float]:
            server = Server(latency_s=3)
            caller = caller_of(server, requests_per_minute=300, tokens_per_minute=60_000)
            await call_all(caller, 900, tokens=150)
            return [at for at, _ in server.posts]

        times = run(scenario())
        most = max(sum(begin <= at < begin + 60 for at in times) for begin in times)
        assert 290 <= most <= 300 + 300 / 60


def parked_after(server: Server, count: int, **policy: Any) -> tuple[Park, CallFigures]:
    """What parked it, when so many were called at once."""

    async def scenario() -> tuple[Park, CallFigures]:
        caller = caller_of(server, **policy)
        called = await call_all(caller, count)
        parks = [outcome for outcome in called if isinstance(outcome, Park)]
        with pytest.raises(Park):
            await caller.call("/chat", b"{}", tokens=1)
        return parks[0], caller.figures

    return run(scenario())


class TestPark:
    @pytest.mark.parametrize(
        ("failure", "code"),
        [
            (error(401), "teacher-auth"),
            (error(403), "teacher-auth"),
            (error(402), "teacher-quota"),
            (error(429, {"error": {"code": "insufficient_quota"}}), "teacher-quota"),
            (error(429, retry_after="3600"), "teacher-unavailable"),
        ],
    )
    def test_comes_at_once_where_no_call_can_succeed(self, failure: Step, code: str) -> None:
        server = Server(rest=failure)
        park, _ = parked_after(server, 100)
        assert park.code == code
        # The eight that were in flight together, and none of the 92 who waited.
        assert len(server.posts) == 8

    def test_carries_the_delay_that_the_server_asked_for(self) -> None:
        park, _ = parked_after(Server(rest=error(503, retry_after="3600")), 1)
        assert park.after_s == 3600

    def test_comes_with_the_twentieth_failure_in_a_row(self) -> None:
        server = Server(rest=error(503))
        park, figures = parked_after(server, 100, concurrency=1)
        assert park.code == "teacher-unavailable"
        assert len(server.posts) == 20
        assert figures.outcomes == {}

    def test_gives_no_request_up_when_a_good_server_dies(self) -> None:
        server = Server([ScriptedReply()] * 500, rest=TransportFailed("connect"))
        _, figures = parked_after(server, 600)
        assert figures.outcomes == {"answered": 500}

    def test_comes_after_five_minutes_without_a_success(self) -> None:
        async def scenario() -> tuple[Park, float]:
            caller = caller_of(Server(rest=TransportFailed("timeout"), latency_s=60))
            while True:
                try:
                    await caller.call("/chat", b"{}", tokens=1)
                except Park as park:
                    return park, now()

        park, at = run(scenario())
        assert park.code == "teacher-unavailable"
        assert 300 <= at < 362

    def test_wakes_at_once_whoever_waits_for_a_retry_or_the_rate(self) -> None:
        async def scenario() -> float:
            steps = [error(429, retry_after="500"), error(401)]
            server = Server(steps, latency_s=1)
            caller = caller_of(server, concurrency=2, requests_per_minute=240)
            called = await call_all(caller, 20)
            assert all(isinstance(outcome, Park) for outcome in called)
            assert len(server.posts) == 2
            return now()

        assert run(scenario()) < 1.5

    def test_lets_those_in_flight_end_and_gives_their_answers_out(self) -> None:
        class Mixed(Server):
            async def post(self, path: str, body: bytes) -> ScriptedReply:
                if body == b"0":
                    await asyncio.sleep(1)
                    return error(401)
                return await super().post(path, body)

        async def scenario() -> list[Called | BaseException]:
            return await call_all(caller_of(Mixed(latency_s=5)), 10)

        called = run(scenario())
        assert [type(outcome) for outcome in called] == [Park, *[Called] * 7, Park, Park]

    def test_waits_for_none_of_those_in_flight(self) -> None:
        class Hanging(Server):
            async def post(self, path: str, body: bytes) -> ScriptedReply:
                await asyncio.sleep(1 if body == b"0" else 50)
                return error(503)

        async def scenario() -> list[float]:
            caller = caller_of(Hanging(), concurrency=2, park_after_failures=1)
            times = []

            async def parked(body: bytes) -> None:
                with pytest.raises(Park):
                    await caller.call("/chat", body, tokens=1)
                times.append(now())

            # The first parks the job and halves the limit, which the second still fills.
            calls = [asyncio.ensure_future(parked(b"%d" % number)) for number in range(4)]
            await asyncio.sleep(2)
            await parked(b"late")
            await asyncio.gather(*calls)
            assert caller.figures.requests == 4
            return times

        assert run(scenario()) == [1, 1, 1, 2, 50]

    def test_tells_what_the_parked_call_had_cost(self) -> None:
        server = Server([TransportFailed("timeout"), TransportFailed("reset"), error(401)])
        park, _ = parked_after(server, 1)
        effort = park.effort
        assert (effort.attempts, effort.timeouts, effort.maybe_billed) == (3, 1, 2)

    def test_tells_no_secret(self) -> None:
        body = {"error": {"code": "sk-canary-1", "message": "Wrong key: sk-canary-1"}}
        park, _ = parked_after(Server(rest=error(401, body)), 1)
        assert "canary" not in f"{park!r} {park} {park.detail} {park.__cause__!r}"


class TestCancelling:
    @pytest.mark.parametrize("at", [0.0, 0.05, 0.15, 0.35, 1.0, 2.0])
    def test_leaves_no_slot_taken_wherever_it_hits(self, at: float) -> None:
        async def scenario() -> int:
            # In flight, in the line, waiting for the rate, waiting for a retry.
            server = Server([error(503)] * 3, latency_s=0.1)
            caller = caller_of(server, concurrency=4, requests_per_minute=300)
            tasks = [
                asyncio.ensure_future(caller.call("/chat", b"{}", tokens=1)) for _ in range(50)
            ]
            await asyncio.sleep(at)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert server.at_once == 0
            assert caller.figures.in_flight == 0
            called = await call_all(caller, 4)
            assert all(isinstance(outcome, Called) for outcome in called)
            return sum(task.cancelled() for task in tasks)

        assert run(scenario()) > 0


class TestFigures:
    def test_tell_how_the_calls_go(self) -> None:
        async def scenario() -> tuple[CallFigures, CallFigures]:
            server = Server([error(503), error(400), NAN], latency_s=1)
            caller = caller_of(server)
            calls = asyncio.ensure_future(call_all(caller, 5))
            await asyncio.sleep(0.5)
            meanwhile = caller.figures
            await calls
            return meanwhile, caller.figures

        meanwhile, after = run(scenario())
        assert (meanwhile.requests, meanwhile.attempts, meanwhile.in_flight) == (5, 0, 5)
        assert after == CallFigures(
            requests=5,
            attempts=6,
            retries=1,
            outcomes={"answered": 3, "refused_by_server": 1, "permanent": 1},
            failures={"server": 1, "refused": 1, "non_finite": 1},
            concurrency=4,
            in_flight=0,
        )
        assert after.retry_share == 0.2

    def test_before_the_first_call_divide_by_nothing(self) -> None:
        async def scenario() -> float:
            return caller_of(Server()).figures.retry_share

        assert run(scenario()) == 0


class TestTheCost:
    def test_of_ten_thousand_calls_is_small(self) -> None:
        async def scenario() -> float:
            reply = ScriptedReply(body=b'{"choices": [], "usage": {"total_tokens": 321}}')
            caller = caller_of(
                Server(rest=reply, latency_s=0.02),
                requests_per_minute=1_000_000,
                tokens_per_minute=1_000_000_000,
            )
            began = time.process_time()
            await call_all(caller, 10_000, tokens=300)
            return time.process_time() - began

        cpu_ms = run(scenario()) / 10_000 * 1000
        assert cpu_ms < 0.3
