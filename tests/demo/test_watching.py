"""Following a job shows every stage, ends when it ends, and never takes a failure for success."""

import io
from collections.abc import Iterator

import httpx
import pytest
from rich.console import Console

from demo import watching
from demo.api_client import ApiClient, Json
from demo.watching import JobFailed, describe, follow
from tests.demo import recorded


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "POLL_EVERY_S", 0.0)


def client_telling(states: list[Json]) -> ApiClient:
    story: Iterator[Json] = iter(states)
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=next(story)))
    return ApiClient("http://service", transport=transport)


def followed(states: list[Json], *, terminal: bool) -> tuple[Json, str]:
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
        assert job["model_id"] == "model_01"
        assert "llkd" in shown
        assert "100" in shown

    def test_without_a_terminal_only_news_is_printed(self) -> None:
        same = [recorded.job(percent=50.0 + step / 10) for step in range(50)]
        _, shown = followed([*same, recorded.job(state="succeeded", percent=100.0)], terminal=False)
        assert len(shown.splitlines()) == 2
        assert "\x1b" not in shown

    @pytest.mark.parametrize("state", ["failed", "cancelled"])
    def test_a_job_without_a_model_is_an_error_with_its_reason(self, state: str) -> None:
        ended = recorded.job(state=state, error={"title": "Lost", "detail": "the disk is full"})
        with pytest.raises(JobFailed, match=f"{state} in stage train: the disk is full"):
            followed([recorded.job(), ended], terminal=False)

    def test_a_dead_service_is_noticed_between_polls(self) -> None:
        def dead() -> None:
            raise RuntimeError("the worker ended")

        with client_telling([]) as client, pytest.raises(RuntimeError, match="the worker ended"):
            follow(client, "job_01", title="", console=Console(file=io.StringIO()), alive=dead)


class TestDescribe:
    def test_it_tells_stage_answers_steps_share_and_time_left(self) -> None:
        assert describe(recorded.job()) == (
            "train · 3,200 answers (1,200 stored) · step 1,200 · 26% kept · 41 s left"
        )

    def test_it_says_nothing_that_is_not_known_yet(self) -> None:
        waiting = recorded.job(state="queued", stage=None, eta_seconds=None)
        counts = dict.fromkeys(waiting["progress"]["teacher"])
        unknown = dict.fromkeys(waiting["progress"])
        waiting["progress"] = {**unknown, "percent": 0.0, "rows": 3200, "teacher": counts}
        assert describe(waiting) == "queued"
