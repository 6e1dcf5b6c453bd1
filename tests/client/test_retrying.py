"""A request is sent again where that may help and cannot do a thing twice."""

import json
import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from llkd_client import (
    Conflict,
    ConnectionFailed,
    InvalidRequest,
    NotFound,
    Overloaded,
    RetryPolicy,
    ServerError,
    Unauthorized,
)
from llkd_client.answers import Answer
from llkd_client.errors import Problem
from llkd_client.requests import Repeat
from tests.client.parts import DATASET, QUICK, Script, job, problem

BROKEN = httpx.ReadError("reset")
REFUSED = httpx.ConnectError("refused")
BOTH = pytest.mark.parametrize("kind", ["sync", "async"])
JOB = httpx.Response(200, json=job())


def overloaded(retry_after: float | None = None) -> Overloaded:
    return Overloaded(Problem(503, "unavailable", "", ""), retry_after=retry_after)


@BOTH
class TestAsk:
    @pytest.mark.parametrize(
        "trouble",
        [BROKEN, REFUSED, *(problem(status) for status in (503, 429, 408, 502, 504))],
        ids=["broken", "refused", "503", "429", "408", "502", "504"],
    )
    def test_a_read_is_repeated_until_it_is_answered(self, kind, trouble):
        script = Script(trouble, trouble, JOB)
        assert script.client(kind).jobs.get("job_1").id == "job_1"
        assert script.is_over

    @pytest.mark.parametrize("status", [400, 401, 404, 409, 413, 422, 500, 507])
    def test_what_would_fail_again_is_not_repeated(self, kind, status):
        script = Script(problem(status))
        with pytest.raises(Exception, match="No"):
            script.client(kind).jobs.get("job_1")
        assert len(script.asked) == 1

    def test_it_gives_up_after_the_last_attempt_with_what_that_came_to(self, kind):
        script = Script(*[problem(503, "unavailable")] * 3)
        client = script.client(kind, retry=RetryPolicy(attempts=3, first_wait=0.001))
        with pytest.raises(Overloaded) as caught:
            client.jobs.get("job_1")
        assert caught.value.code == "unavailable"
        assert script.is_over

    def test_whoever_wants_to_be_left_alone_for_long_is(self, kind):
        script = Script(problem(503, headers={"Retry-After": "3600"}))
        with pytest.raises(Overloaded) as caught:
            script.client(kind).jobs.get("job_1")
        assert caught.value.retry_after == 3600.0

    def test_a_creation_keeps_its_key_over_its_attempts(self, kind):
        script = Script(BROKEN, problem(503), httpx.Response(202, json=job("queued")))
        client = script.client(kind)
        assert client.jobs.create(dataset_id="ds_1", labels=[], teacher={}).state == "queued"
        keys = {request.headers["Idempotency-Key"] for request in script.asked}
        assert len(keys) == 1
        assert len(keys.pop()) == 32

    def test_two_creations_have_two_keys_and_a_given_one_is_taken(self, kind):
        script = Script(*[httpx.Response(202, json=job("queued"))] * 3)
        client = script.client(kind)
        for given in ({}, {}, {"idempotency_key": "mine"}):
            client.jobs.create(dataset_id="ds_1", **given)
        first, second, third = (request.headers["Idempotency-Key"] for request in script.asked)
        assert first != second
        assert third == "mine"
        assert json.loads(script.asked[2].content) == {"dataset_id": "ds_1"}

    def test_a_creation_waits_for_its_own_first_attempt(self, kind):
        made = httpx.Response(202, json=job("queued"))
        script = Script(BROKEN, problem(409, "idempotency-in-progress"), made)
        assert script.client(kind).jobs.create(dataset_id="ds_1").id == "job_1"

    def test_it_is_waited_for_longer_than_for_a_service_that_is_away(self, kind):
        waiting = [problem(409, "idempotency-in-progress")] * 20
        retry = RetryPolicy(attempts=3, first_wait=0.001, longest_wait=0.002)
        script = Script(BROKEN, *waiting, REFUSED, DATASET)
        made = script.client(kind, retry=retry).datasets.add_texts(["a text"], name="texts")
        assert made.id == "ds_1"
        assert len({each.headers["Idempotency-Key"] for each in script.asked}) == 1

    def test_it_is_not_waited_for_for_ever(self, kind):
        script = Script(BROKEN, *[problem(409, "idempotency-in-progress")] * 20)
        retry = RetryPolicy(first_wait=0.002, longest_wait=0.002, longest_in_progress=0.005)
        with pytest.raises(Conflict):
            script.client(kind, retry=retry).jobs.create(dataset_id="ds_1")
        assert 4 <= len(script.asked) <= 7

    def test_an_upload_is_sent_whole_each_time(self, kind, tmp_path: Path):
        file = tmp_path / "texts.txt"
        file.write_bytes(b"a text\n" * 20_000)
        told = {
            "id": "ds_1",
            "name": "texts",
            "created_at": "2026-01-01T00:00:00Z",
            "size_bytes": 1,
            "statistics": {"rows": 1, "unique": 1, "duplicates": 0, "set_aside": 0},
        }
        script = Script(BROKEN, httpx.Response(201, json=told))
        sent: list[tuple[int, int]] = []
        client = script.client(kind)
        made = client.datasets.add(file, label_column="y", on_bytes=lambda *at: sent.append(at))
        assert made.statistics.unique == 1
        first, second = script.asked
        assert file.read_bytes() in first.content
        assert file.read_bytes() in second.content
        assert b'name="label_column"\r\n\r\ny\r\n' in second.content
        assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
        assert sent[-1] == (140_000, 140_000)
        assert len(sent) > 4

    def test_a_prediction_is_repeated_while_the_service_is_busy_or_away(self, kind):
        answer = {"model": "model_1", "data": [{"index": 0, "label": "a", "score": 0.9}]}
        script = Script(problem(429), problem(503), BROKEN, httpx.Response(200, json=answer))
        assert script.client(kind).predict("m", "text").data[0].label == "a"

    def test_a_prediction_that_may_spend_is_repeated_only_if_it_was_refused(self, kind):
        script = Script(problem(429), BROKEN)
        with pytest.raises(ConnectionFailed):
            script.client(kind).predict("m", "text", on_low_confidence="teacher")
        assert script.is_over

    def test_a_teacher_is_never_asked_twice_by_one_test(self, kind):
        for trouble in (BROKEN, problem(503), problem(504)):
            script = Script(trouble)
            with pytest.raises((ConnectionFailed, Overloaded, ServerError)):
                script.client(kind).teachers.test("teacher_1")
            assert script.is_over

    def test_what_cannot_have_arrived_is_always_sent_again(self, kind):
        told = {"ok": True, "tested_at": "2026-01-01T00:00:00Z", "reachable": True}
        script = Script(REFUSED, httpx.Response(200, json=told))
        assert script.client(kind).teachers.test("teacher_1").ok

    def test_deleting_what_a_lost_attempt_deleted_is_no_error(self, kind):
        script = Script(BROKEN, problem(404))
        script.client(kind).datasets.delete("ds_1")
        assert script.is_over

    def test_deleting_what_was_never_there_is_one(self, kind):
        script = Script(problem(429), problem(404))
        with pytest.raises(NotFound):
            script.client(kind).datasets.delete("ds_1")


class TestRetryPolicy:
    def test_waits_double_up_to_the_longest_and_are_never_equal(self):
        policy = RetryPolicy(attempts=99, random=random.Random(0))
        for attempt, most in ((1, 0.5), (2, 1.0), (3, 2.0), (6, 10.0), (90, 10.0)):
            waits = {
                policy.wait_before_next(overloaded(), attempt=attempt, repeat=Repeat.ALWAYS)
                for _ in range(20)
            }
            assert len(waits) == 20
            assert all(wait is not None and most / 2 <= wait <= most for wait in waits)

    def test_what_the_service_says_is_a_least_wait(self):
        wait = QUICK.wait_before_next(overloaded(0.5), attempt=1, repeat=Repeat.ALWAYS)
        assert wait is not None
        assert 0.5 <= wait <= 0.55

    def test_waits_grow_beyond_what_the_service_says_each_time(self):
        policy = RetryPolicy()
        for told in (0.0, 1.0):
            wait = policy.wait_before_next(overloaded(told), attempt=7, repeat=Repeat.ALWAYS)
            assert wait is not None
            assert wait >= 5.0

    def test_a_full_queue_is_waited_for_as_long_as_the_service_says(self):
        wait = RetryPolicy().wait_before_next(overloaded(60.0), attempt=1, repeat=Repeat.ALWAYS)
        assert wait is not None
        assert 60.0 <= wait <= 61.0


class TestRetryAfter:
    def test_both_forms_are_read(self):
        at = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
        seconds = Answer(503, {"retry-after": at}).retry_after
        assert seconds is not None
        assert 25 < seconds <= 30
        assert Answer(503, {"retry-after": "7"}).retry_after == 7.0

    @pytest.mark.parametrize("told", ["", "soon", "-1", "1.5.2"])
    def test_anything_else_is_none(self, told):
        assert Answer(503, {"retry-after": told}).retry_after is None


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (401, Unauthorized),
            (403, Unauthorized),
            (404, NotFound),
            (410, NotFound),
            (409, Conflict),
            (412, Conflict),
            (400, InvalidRequest),
            (413, InvalidRequest),
            (415, InvalidRequest),
            (422, InvalidRequest),
            (408, Overloaded),
            (429, Overloaded),
            (503, Overloaded),
            (500, ServerError),
            (507, ServerError),
            (302, ServerError),
        ],
    )
    def test_each_status_is_what_a_caller_would_do_about_it(self, status, kind):
        with pytest.raises(kind) as caught:
            Script(*[problem(status)] * 8).client().jobs.get("job_1")
        assert type(caught.value) is kind

    def test_it_carries_what_the_problem_says(self):
        told: dict[str, Any] = {
            "errors": [
                {"pointer": "/labels", "code": "too_short", "message": "at least 2"},
                {"pointer": "/teacher", "code": "missing", "message": "is needed"},
            ],
            "request_id": "req_1",
            "detail": "2 fields are wrong",
        }
        with pytest.raises(InvalidRequest, match=r"(?s)No: 2.*/labels: at least") as caught:
            Script(problem(422, "validation-error", **told)).client().jobs.create()
        error = caught.value
        assert (error.code, error.request_id) == ("validation-error", "req_1")
        assert error.pointers == ("/labels", "/teacher")

    def test_what_says_nothing_is_told_by_its_status(self):
        elsewhere = httpx.Response(307, headers={"Location": "https://service/jobs/job_1"})
        with pytest.raises(ServerError, match=r"^HTTP 307$"):
            Script(elsewhere).client().jobs.get("job_1")

    @pytest.mark.parametrize("body", [b"<p>bad</p>", b"[]", b"null", b'{"errors": 3}'])
    def test_a_body_that_is_no_problem_is_still_an_error(self, body):
        with pytest.raises(ServerError):
            Script(httpx.Response(500, content=body)).client().jobs.get("job_1")
