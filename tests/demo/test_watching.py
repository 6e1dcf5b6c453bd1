"""Following a job ends when it ends, and never takes a failure for success."""

import io
from collections.abc import Iterator

import httpx
import pytest
from rich.console import Console

from demo import watching
from demo.watching import follow
from llkd_client import Client, Job, JobFailed
from tests.demo import recorded


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "POLL_EVERY_S", 0.001)


def client_telling(states: list[recorded.Json]) -> Client:
    story: Iterator[recorded.Json] = iter(states)
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=next(story)))
    return Client("http://service", transport=transport)


def followed(states: list[recorded.Json], *, terminal: bool) -> tuple[Job, str]:
    stream = io.StringIO()
    console = Console(file=stream, width=140, force_terminal=terminal)
    with client_telling(states) as client:
        job = follow(client, "job_01", title="llkd", console=console, alive=lambda: None)
    return job, stream.getvalue()


class TestFollow:
    @pytest.mark.parametrize("terminal", [True, False])
    def test_it_returns_the_job_once_it_has_succeeded(self, *, terminal: bool) -> None:
        story = [
            recorded.job(state="queued", stage=None, percent=0.0, eta_seconds=None),
            recorded.job(),
            recorded.job(state="succeeded", stage="export", percent=100.0, eta_seconds=None),
        ]
        job, shown = followed(story, terminal=terminal)
        assert job.model_id == "model_01"
        assert "llkd" in shown
        assert "100" in shown

    @pytest.mark.parametrize("state", ["failed", "cancelled"])
    def test_a_job_without_a_model_is_an_error_with_its_reason(self, state: str) -> None:
        ended = recorded.job(state=state, error={"title": "Lost", "detail": "the disk is full"})
        with pytest.raises(JobFailed, match=f"{state} in stage train: Lost: the disk is full"):
            followed([recorded.job(), ended], terminal=False)

    def test_a_dead_service_is_noticed_between_polls(self) -> None:
        def dead() -> None:
            raise RuntimeError("the worker ended")

        console = Console(file=io.StringIO())
        with (
            client_telling([recorded.job()]) as client,
            pytest.raises(RuntimeError, match="the worker ended"),
        ):
            follow(client, "job_01", title="", console=console, alive=dead)
