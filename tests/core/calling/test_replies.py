"""A reply is read as what it is: an answer, this request's fault, or the server's."""

import pytest

from core.calling.failures import Failure, FailureKind
from core.calling.replies import read_reply
from tests.core.calling.scripted_server import (
    WALL,
    ScriptedReply,
    error,
)


def failure(reply: ScriptedReply) -> Failure:
    read = read_reply(reply, now=WALL)
    assert isinstance(read, Failure)
    return read


class TestAnAnswer:
    def test_is_the_json_object_of_a_200(self) -> None:
        assert read_reply(ScriptedReply(body=b'{"a": [1]}'), now=WALL) == {"a": [1]}

    def test_may_hold_numbers_that_json_has_not(self) -> None:
        read = read_reply(ScriptedReply(body=b'{"a": NaN, "b": -Infinity}'), now=WALL)
        assert isinstance(read, dict)
        assert read["a"] != read["a"]
        assert read["b"] == float("-inf")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>Sign in to the proxy</html>",
            b'{"a": 1',
            b"[]",
            b"null",
            b'"text"',
            b"\xff\xfe\x00",
            b"[" * 100_000,
            b'{"a": ' + b"9" * 5000 + b"}",
        ],
    )
    def test_that_is_no_json_object_is_a_failure_of_the_server(self, body: bytes) -> None:
        read = failure(ScriptedReply(body=body))
        assert read.kind is FailureKind.NOT_JSON
        assert read.is_retryable
        assert read.is_overload
        assert read.is_outage

    def test_with_another_2xx_is_none(self) -> None:
        assert failure(ScriptedReply(202)).kind is FailureKind.NOT_JSON


class TestAStatus:
    @pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 520, 529])
    def test_that_may_pass_is_retryable(self, status: int) -> None:
        assert failure(error(status)).is_retryable

    @pytest.mark.parametrize(
        "status", [302, 307, 400, 401, 402, 403, 404, 405, 410, 413, 418, 422, 501, 505, 600]
    )
    def test_that_stays_is_not(self, status: int) -> None:
        assert not failure(error(status)).is_retryable

    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
    def test_of_a_busy_server_is_an_overload(self, status: int) -> None:
        assert failure(error(status)).is_overload

    @pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 425, 501])
    def test_of_another_sort_is_none(self, status: int) -> None:
        assert not failure(error(status)).is_overload

    @pytest.mark.parametrize(("status", "outage"), [(400, False), (422, False), (404, True)])
    def test_speaks_against_the_request_or_the_server(self, status: int, outage: bool) -> None:
        assert failure(error(status)).is_outage is outage

    def test_carries_the_wait_it_asks_for(self) -> None:
        assert failure(error(503, retry_after="7")).wait_s == 7
        assert failure(error(503, retry_after="soon")).wait_s is None


class TestNumbersThatAreNoJson:
    def test_are_this_requests_fault_for_good(self) -> None:
        body = {"message": "Out of range float values are not JSON compliant"}
        read = failure(error(500, body))
        assert read.kind is FailureKind.NON_FINITE
        assert not read.is_retryable
        assert not read.is_overload
        assert not read.is_outage

    def test_another_500_is_not(self) -> None:
        assert failure(error(500, {"message": "Out of memory"})).kind is FailureKind.SERVER


class TestAnEmptyAccount:
    @pytest.mark.parametrize(
        "reply",
        [
            error(402),
            error(429, {"error": {"code": "insufficient_quota"}}),
            error(429, {"error": {"type": "insufficient_quota", "code": None}}),
            error(403, {"error": {"code": "billing_not_active"}}),
        ],
    )
    def test_is_told_from_a_rate_limit(self, reply: ScriptedReply) -> None:
        assert failure(reply).kind is FailureKind.QUOTA

    def test_a_rate_limit_is_told_from_it(self) -> None:
        limited = error(429, {"error": {"code": "rate_limit_exceeded"}})
        assert failure(limited).kind is FailureKind.RATE_LIMITED


class TestTheServersWords:
    @pytest.mark.parametrize(
        ("body", "code", "message"),
        [
            ({"error": {"code": "content_filter", "message": "No."}}, "content_filter", "No."),
            ({"error": {"type": "invalid_request_error"}}, "invalid_request_error", ""),
            ({"object": "error", "type": "BadRequestError", "code": 400}, "BadRequestError", ""),
            ({"error": "model is busy"}, "", "model is busy"),
            ({"error": ["odd"]}, "", ""),
            ({"error": {"code": {"a": 1}, "message": 7}}, "", ""),
        ],
    )
    def test_are_read_in_every_form(self, body: object, code: str, message: str) -> None:
        read = failure(error(400, body))
        assert (read.code, read.message) == (code, message)

    def test_are_bounded(self) -> None:
        assert len(failure(error(400, {"error": {"message": "x" * 9999}})).message) == 500

    def test_with_a_key_in_them_stay_out_of_what_is_printed(self) -> None:
        key = "sk-canary-0123456789"
        read = failure(error(400, {"error": {"code": key, "type": key, "message": f"bad {key}"}}))
        assert key not in repr(read)
        assert read.code == ""
