"""GET /jobs/{id}/events, as a page and as a stream."""

import asyncio
import json
from collections.abc import Callable
from threading import Timer
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from app.jobs import event_stream
from app.jobs.errors import TooManyStreams
from app.jobs.event_stream import News, StreamPlaces, stream_events
from core.db.repositories.jobs import JobRepository
from core.db.session import Database
from core.ids import JobId
from core.lifecycle import JobState
from tests.app.jobs.parts import add_job
from tests.factories import TENANT

STREAM = {"Accept": "text/event-stream"}


class TestPage:
    def test_events_come_in_order_and_each_once(
        self, client: TestClient, database: Database
    ) -> None:
        job_id = add_job(database, events=5)
        add_job(database, events=2)
        first = client.get(f"/jobs/{job_id}/events", params={"limit": 3}).json()
        rest = client.get(f"/jobs/{job_id}/events", params={"after": first["last_id"]}).json()
        places = [event["data"]["place"] for event in first["data"] + rest["data"]]
        assert places == [0, 1, 2, 3, 4]
        assert (first["has_more"], rest["has_more"]) == (True, False)

    @pytest.mark.parametrize(
        "cursor", ["abc", "-1", "1.5", "", "9" * 19 + "9", "٣", "0x1", "1;DROP TABLE jobs"]
    )
    def test_a_forged_cursor_is_refused(
        self, client: TestClient, database: Database, cursor: str
    ) -> None:
        answer = client.get(f"/jobs/{add_job(database)}/events", params={"after": cursor})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")

    def test_a_forged_header_is_named(self, client: TestClient, database: Database) -> None:
        path, headers = f"/jobs/{add_job(database)}/events", {"Last-Event-ID": "abc"}
        answer = client.get(path, headers=headers, params={"after": "1"})
        assert answer.json()["code"] == "invalid-cursor"
        assert "`Last-Event-ID`" in answer.json()["detail"]


class TestAccept:
    @pytest.mark.parametrize(
        ("accept", "kind"),
        [
            ("*/*", "application/json"),
            ("application/json", "application/json"),
            ("text/event-stream", "text/event-stream"),
            ("text/event-stream;q=0.5, application/json;q=0.4", "text/event-stream"),
            ("text/event-stream;q=0, */*", "application/json"),
            ("text/html, application/*;q=0.1", "application/json"),
            ("text/*", "text/event-stream"),
        ],
    )
    def test_the_client_gets_what_it_likes_best(
        self, client: TestClient, database: Database, accept: str, kind: str
    ) -> None:
        job_id = _ended_job(database)
        answer = client.get(f"/jobs/{job_id}/events", headers={"Accept": accept})
        assert answer.headers["content-type"].split(";")[0] == kind

    @pytest.mark.parametrize("accept", ["text/xml", "text/csv", "application/json;q=0"])
    def test_what_cannot_be_served_is_not_acceptable(
        self, client: TestClient, database: Database, accept: str
    ) -> None:
        answer = client.get(f"/jobs/{_ended_job(database)}/events", headers={"Accept": accept})
        assert (answer.status_code, answer.json()["code"]) == (406, "not-acceptable")


class TestStream:
    def test_it_replays_everything_and_closes_at_the_end(
        self, client: TestClient, database: Database
    ) -> None:
        job_id = _ended_job(database, events=3)
        answer = client.get(f"/jobs/{job_id}/events", headers=STREAM)
        page = client.get(f"/jobs/{job_id}/events").json()["data"]
        messages = _messages(answer.text)
        assert [message["data"] for message in messages] == page
        assert [message["id"] for message in messages] == [event["id"] for event in page]
        assert messages[-1]["event"] == "job.cancelled"

    def test_it_goes_on_after_the_last_event_the_client_has(
        self, client: TestClient, database: Database
    ) -> None:
        job_id = _ended_job(database, events=3)
        page = client.get(f"/jobs/{job_id}/events").json()["data"]
        headers = STREAM | {"Last-Event-ID": page[1]["id"]}
        answer = client.get(f"/jobs/{job_id}/events", headers=headers)
        assert [message["data"] for message in _messages(answer.text)] == page[2:]

    def test_a_client_that_has_everything_is_told_not_to_come_back(
        self, client: TestClient, database: Database
    ) -> None:
        job_id = _ended_job(database)
        last = client.get(f"/jobs/{job_id}/events").json()["last_id"]
        headers = STREAM | {"Last-Event-ID": last}
        assert client.get(f"/jobs/{job_id}/events", headers=headers).status_code == 204

    def test_events_that_happen_meanwhile_arrive(
        self, client: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_stream, "POLL_SECONDS", 0.02)
        job_id = add_job(database, events=1)
        timer = Timer(0.3, _cancel, (database, job_id))
        timer.start()
        answer = client.get(f"/jobs/{job_id}/events", headers=STREAM)
        timer.join()
        types = [message["event"] for message in _messages(answer.text)]
        assert types == ["teacher.progress", "job.cancelled"]

    def test_more_than_one_poll_brings_is_told_without_a_pause(
        self, client: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_stream, "POLL_SECONDS", 60)
        job_id = _ended_job(database, events=250)
        answer = client.get(f"/jobs/{job_id}/events", headers=STREAM)
        assert len(_messages(answer.text)) == 251

    def test_a_silent_stream_says_that_it_is_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(event_stream, "POLL_SECONDS", 0.001)
        monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.01)
        polls = iter(range(100))
        said = _run_stream(lambda _: News([], ended=next(polls) == 99))
        assert b": still here\n\n" in said

    def test_a_database_that_is_lost_ends_the_stream(self) -> None:
        def lost(_: int) -> News:
            raise OperationalError("SELECT 1", {}, Exception("gone"))

        assert _run_stream(lost) == [b"retry: 2000\n\n"]

    def test_places_are_limited_and_given_back(self) -> None:
        places = StreamPlaces(1)
        with places.taken(), pytest.raises(TooManyStreams):
            places.refuse_when_full()
        places.refuse_when_full()
        _run_stream(lambda _: News([], ended=True), places=places)
        places.refuse_when_full()

    def test_a_full_service_refuses_at_once(self, client: TestClient, database: Database) -> None:
        client.app.state.event_streams = StreamPlaces(0)  # type: ignore[attr-defined]
        answer = client.get(f"/jobs/{add_job(database)}/events", headers=STREAM)
        assert (answer.status_code, answer.json()["code"]) == (503, "too-many-streams")
        assert int(answer.headers["retry-after"]) > 0


def _ended_job(database: Database, *, events: int = 1) -> JobId:
    job_id = add_job(database, events=events)
    _cancel(database, job_id)
    return job_id


def _cancel(database: Database, job_id: JobId) -> None:
    with database.write() as session:
        row = JobRepository(session).request_cancel(TENANT, job_id)
    assert row is not None
    assert row.state is JobState.CANCELLED


def _messages(stream: str) -> list[dict[str, Any]]:
    """The events of a stream, read as a browser reads them."""
    found = []
    for block in stream.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[0] != ":")
        if "data" in fields:
            found.append(fields | {"data": json.loads(fields["data"])})
    return found


def _run_stream(read: Callable[[int], News], *, places: StreamPlaces | None = None) -> list[bytes]:
    async def collect() -> list[bytes]:
        stream = stream_events(read, after=0, places=places or StreamPlaces())
        return [piece async for piece in stream]

    return asyncio.run(collect())
