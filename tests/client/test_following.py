"""Streams, waits, pages and downloads outlive what connections do to them."""

import itertools
import time
from pathlib import Path

import httpx
import pytest

from llkd_client import (
    ConnectionFailed,
    JobFailed,
    NotFound,
    Overloaded,
    RetryPolicy,
    UnexpectedAnswer,
    WaitedTooLong,
)
from tests.client.parts import Pieces, Script, event, job, problem, stream

LAST = event(9, "job.succeeded")
pytestmark = pytest.mark.parametrize("kind", ["sync", "async"])


def numbers(script: Script, kind: str, **options) -> list[str]:
    return [each.id for each in script.client(kind, **options).jobs.events("job_1")]


class TestEvents:
    def test_they_end_with_the_job_and_not_with_the_connection(self, kind):
        script = Script(stream(event(1), LAST, event(10)))
        assert numbers(script, kind) == ["1", "9"]

    @pytest.mark.parametrize("broken", [True, False])
    def test_a_connection_that_ends_is_made_again_from_the_last_event_on(self, kind, broken):
        script = Script(
            stream("retry: 2000\n\n", event(1), event(2)[:20], broken=broken),
            stream(event(2), broken=broken),
            httpx.ConnectError("refused"),
            problem(503),
            stream(LAST),
        )
        assert numbers(script, kind) == ["1", "2", "9"]
        places = [request.headers.get("Last-Event-ID") for request in script.asked]
        assert places == [None, "1", "2", "2", "2"]
        assert {request.headers["Accept"] for request in script.asked} == {"text/event-stream"}

    def test_an_event_that_breaks_off_behind_its_id_is_asked_for_again(self, kind):
        script = Script(stream(event(1), event(2).removesuffix("\n"), broken=True), stream(LAST))
        assert numbers(script, kind) == ["1", "9"]
        assert script.asked[1].headers["Last-Event-ID"] == "1"

    def test_a_job_with_nothing_more_to_tell_ends_them_at_once(self, kind):
        assert numbers(Script(httpx.Response(204)), kind) == []

    def test_whoever_hears_nothing_gives_up(self, kind):
        script = Script(*[stream("retry: 1\n\n", broken=True)] * 3)
        with pytest.raises(ConnectionFailed):
            numbers(script, kind, retry=RetryPolicy(attempts=3, first_wait=0.001))
        assert script.is_over

    def test_signs_of_life_count_as_being_heard(self, kind):
        quiet = [stream(": still here\n\n", broken=True) for _ in range(9)]
        script = Script(*quiet, stream(LAST))
        assert numbers(script, kind, retry=RetryPolicy(attempts=3, first_wait=0.001)) == ["9"]

    def test_what_does_not_pass_is_raised(self, kind):
        with pytest.raises(NotFound):
            numbers(Script(stream(event(1), broken=True), problem(404)), kind)

    def test_an_event_that_is_none_is_told_as_such(self, kind):
        with pytest.raises(UnexpectedAnswer):
            numbers(Script(stream("data: {\n\n")), kind)

    def test_they_can_be_left_in_the_middle(self, kind):
        events = Script(stream(event(1), event(2), LAST)).client(kind).jobs.events("job_1")
        assert next(events).id == "1"
        events.close()


class TestWait:
    def test_it_asks_until_the_end_and_only_for_news(self, kind):
        tagged = {"ETag": '"1"', "Retry-After": "0"}
        script = Script(
            httpx.Response(200, json=job(), headers=tagged),
            httpx.Response(304, headers=tagged),
            httpx.Response(200, json=job("succeeded", model_id="model_1")),
        )
        seen: list[str] = []
        client = script.client(kind)
        ended = client.jobs.wait(
            "job_1", poll_seconds=0.001, on_progress=lambda each: seen.append(each.state)
        )
        assert ended.require_success().model_id == "model_1"
        assert seen == ["running", "running", "succeeded"]
        tags = [request.headers.get("If-None-Match") for request in script.asked]
        assert tags == [None, '"1"', '"1"']

    def test_it_waits_no_longer_than_it_was_told(self, kind):
        script = Script(*[httpx.Response(200, json=job()) for _ in range(200)])
        with pytest.raises(WaitedTooLong) as caught:
            script.client(kind).jobs.wait("job_1", timeout=0.05, poll_seconds=0.01)
        assert caught.value.job.state == "running"

    @pytest.mark.parametrize(
        "trouble",
        [problem(503), problem(503, headers={"Retry-After": "30"}), httpx.ReadError("reset")],
        ids=["away", "away for long", "broken"],
    )
    def test_nor_does_trouble_with_the_service_make_it_wait_longer(self, kind, trouble):
        script = Script(httpx.Response(200, json=job()), *[trouble] * 99)
        retry = RetryPolicy(attempts=99, first_wait=0.02, longest_wait=0.02)
        begun = time.monotonic()
        with pytest.raises(WaitedTooLong) as caught:
            script.client(kind, retry=retry).jobs.wait("job_1", timeout=0.1, poll_seconds=0.01)
        assert time.monotonic() - begun < 10.0
        assert caught.value.job.state == "running"
        assert caught.value.__cause__ is not None

    def test_requests_end_soon_after_it(self, kind):
        script = Script(*[httpx.Response(200, json=job("succeeded"))] * 3)
        jobs = script.client(kind).jobs
        for timeout in (None, 30.0, 0.5):
            jobs.wait("job_1", timeout=timeout)
        unbound, long, short = (each.extensions["timeout"]["read"] for each in script.asked)
        assert unbound == 60.0
        assert 29.0 < long <= 30.0
        assert short == 5.0

    def test_a_job_that_was_never_seen_is_no_running_one(self, kind):
        script = Script(*[problem(503, "unavailable")] * 9)
        with pytest.raises(Overloaded):
            script.client(kind).jobs.wait("job_1", timeout=0.0)

    def test_an_end_without_success_is_told_and_raised_on_demand(self, kind):
        error = {"title": "Lost", "detail": "the disk is full", "code": "disk"}
        script = Script(httpx.Response(200, json=job("failed", error=error)))
        ended = script.client(kind).jobs.wait("job_1")
        assert not ended.succeeded
        with pytest.raises(JobFailed, match="stage train: Lost: the disk") as caught:
            ended.require_success()
        assert caught.value.problem is not None
        assert caught.value.problem.code == "disk"

    def test_whatever_the_watcher_raises_ends_it(self, kind):
        def gone(_):
            raise RuntimeError("the worker ended")

        script = Script(httpx.Response(200, json=job()))
        with pytest.raises(RuntimeError, match="the worker ended"):
            script.client(kind).jobs.wait("job_1", on_progress=gone)


class TestPages:
    def page(self, *ids: str, more: bool) -> httpx.Response:
        told = [job(id=each) for each in ids]
        body = {"data": told, "has_more": more, "first_id": ids[0], "last_id": ids[-1]}
        return httpx.Response(200, json=body)

    def test_all_of_them_are_read_and_a_broken_page_is_asked_for_again(self, kind):
        script = Script(
            self.page("a", "b", more=True), httpx.ReadError("reset"), self.page("c", more=False)
        )
        assert [each.id for each in script.client(kind).jobs.list(state="running")] == [*"abc"]
        after = [request.url.params.get("after") for request in script.asked]
        assert after == [None, "b", "b"]
        assert {request.url.params["state"] for request in script.asked} == {"running"}

    def test_no_page_is_asked_for_that_nobody_reads(self, kind):
        script = Script(self.page("a", "b", more=True))
        jobs = script.client(kind).jobs.list()
        assert [each.id for each in itertools.islice(jobs, 2)] == ["a", "b"]

    def test_a_limit_is_of_all_entries(self, kind):
        script = Script(self.page("a", "b", more=True), self.page("c", more=True))
        assert len(list(script.client(kind).jobs.list(limit=3))) == 3
        assert [request.url.params["limit"] for request in script.asked] == ["3", "1"]


class TestDisagreements:
    def test_they_are_read_page_by_page(self, kind):
        row = {"index": 17, "text": "a", "teacher_label": "x", "student_label": "y"}
        pages = [
            {"data": [{"id": each, **row, "student_score": 0.9}], "has_more": more, "last_id": each}
            for each, more in (("0", True), ("1", False))
        ]
        script = Script(*[httpx.Response(200, json=page) for page in pages])
        told = list(script.client(kind).jobs.disagreements("job_1"))
        assert [each.id for each in told] == ["0", "1"]
        assert script.asked[1].url.path == "/jobs/job_1/disagreements"
        assert script.asked[1].url.params["after"] == "0"


class TestDownload:
    def file(self, *pieces: str, broken: bool = False) -> httpx.Response:
        headers = {"Content-Disposition": 'attachment; filename="../tickets.tar"'}
        return httpx.Response(200, headers=headers, stream=Pieces(pieces, broken=broken))

    def test_a_file_is_there_only_when_it_is_whole(self, kind, tmp_path: Path):
        script = Script(self.file("half", broken=True), self.file("who", "le"))
        written = script.client(kind).models.export("tickets", tmp_path / "model.tar")
        assert written.read_text() == "whole"
        assert [each.name for each in tmp_path.iterdir()] == ["model.tar"]

    def test_in_a_folder_it_has_the_name_that_the_service_gives_and_no_path(
        self, kind, tmp_path: Path
    ):
        written = Script(self.file("whole")).client(kind).models.export("tickets", tmp_path)
        assert written == tmp_path / "tickets.tar"

    def test_a_failure_leaves_an_older_file_as_it_was(self, kind, tmp_path: Path):
        target = tmp_path / "model.tar"
        target.write_text("older")
        script = Script(self.file("half", broken=True), problem(404))
        with pytest.raises(NotFound):
            script.client(kind).models.export("tickets", target)
        assert [each.read_text() for each in tmp_path.iterdir()] == ["older"]
