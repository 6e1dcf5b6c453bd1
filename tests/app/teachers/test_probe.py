"""POST /teachers/{id}/test: what is said of a server that answers, and of one that does not."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.teachers import probe
from core.config import Settings
from core.db.repositories.teachers import TeacherRepository
from core.db.session import Database
from core.db.tables import TeacherRow
from core.ids import TeacherId
from tests.app.conftest import BASE_URL
from tests.app.teachers.parts import CANARY, Json, teacher_body
from tests.app.teachers.server import Answer, Asked, Script, says, teaches
from tests.factories import TENANT
from tests.servers import free_port

SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def store(client: TestClient, base_url: str, **changes: Any) -> str:
    """Where the teacher is found."""
    answer = client.post("/teachers", json=teacher_body(base_url=base_url, **changes))
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


def try_out(client: TestClient, where: str) -> Json:
    answer = client.post(f"{where}/test")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


@SQLITE
class TestAServerThatAnswers:
    def test_what_it_offers_is_told_and_kept(
        self, client: TestClient, server: Script, database: Database
    ) -> None:
        where = store(client, server.base_url)
        found = try_out(client, where)
        assert found == found | {
            "object": "teacher_test",
            "ok": True,
            "reachable": True,
            "status": 200,
            "model": "small-2026-07-01",
            "rung": "top_logprobs",
            "failure": None,
        }
        questions = [asked for asked in server.asked if asked.path == "/v1/chat/completions"]
        assert found["input_tokens"] == 120 * len(questions)
        assert found["output_tokens"] == len(questions)
        assert 0 < found["latency_ms"] < 20_000
        assert client.get(where).json()["last_test"] == found

    def test_it_is_sent_the_key_and_the_model_that_were_stored(
        self, client: TestClient, server: Script
    ) -> None:
        try_out(client, store(client, server.base_url))
        assert {asked.authorization for asked in server.asked} == {f"Bearer {CANARY}"}
        assert {asked.body["model"] for asked in server.asked} == {"gpt-4o-mini"}

    def test_one_that_needs_no_key_is_sent_none(self, client: TestClient, server: Script) -> None:
        assert try_out(client, store(client, server.base_url, key=None))["ok"]
        assert {asked.authorization for asked in server.asked} == {None}

    def test_questions_go_below_the_stored_path(self, client: TestClient, server: Script) -> None:
        try_out(client, store(client, f"http://127.0.0.1:{server.port}/proxy/openai/v1"))
        paths = {asked.path for asked in server.asked}
        # vLLM's tokenizer stands beside its version, not below it.
        assert paths == {"/proxy/openai/v1/chat/completions", "/proxy/openai/tokenize"}

    def test_a_server_without_logprobs_stands_lower_on_the_ladder(
        self, client: TestClient, server: Script
    ) -> None:
        server.answer = teaches(with_logprobs=False)
        found = try_out(client, store(client, server.base_url))
        assert found["ok"]
        assert found["rung"] not in {"top_logprobs", "token_logprobs"}

    def test_a_number_that_json_cannot_hold_leads_to_another_way(
        self, client: TestClient, server: Script
    ) -> None:
        plain = teaches(with_logprobs=False)
        fault = says(500, {"message": "Out of range float values are not JSON compliant"})

        def answer(asked: Asked) -> Answer:
            return fault(asked) if asked.body.get("logprobs") else plain(asked)

        server.answer = answer
        assert try_out(client, store(client, server.base_url))["ok"]


NO_ANSWER: list[tuple[Callable[[Asked], Answer], str, int | None]] = [
    (says(401, {"error": "bad key"}), "teacher-auth", 401),
    (says(403, {}), "teacher-auth", 403),
    (says(402, {}), "teacher-quota", 402),
    (says(429, {"error": {"code": "insufficient_quota"}}), "teacher-quota", 429),
    (says(429, {}), "teacher-rate-limited", 429),
    (says(404, {}), "teacher-not-found", 404),
    (says(413, {}), "teacher-refused", 413),
    (says(400, {"error": "no"}), "teacher-refused", 400),
    (says(422, {"detail": []}), "teacher-refused", 422),
    (says(500, b"<html>"), "teacher-error", 500),
    (says(503, {}), "teacher-error", 503),
    (says(200, b"<html>"), "teacher-protocol", 200),
    (says(200, b"[1]"), "teacher-protocol", 200),
    (says(200, {"choices": []}), "teacher-capability", 200),
    (says(200, {"choices": 3, "usage": {"prompt_tokens": "x"}}), "teacher-capability", 200),
    (says(302, {}, Location="http://169.254.169.254/"), "teacher-redirect", None),
    (says(200, b"x" * (2 * 1024 * 1024)), "teacher-too-large", None),
]


@SQLITE
class TestAServerThatDoesNot:
    @pytest.mark.parametrize(("answer", "code", "status"), NO_ANSWER)
    def test_the_test_succeeds_and_says_why_the_teacher_does_not(
        self,
        client: TestClient,
        server: Script,
        answer: Callable[[Asked], Answer],
        code: str,
        status: int | None,
    ) -> None:
        where = store(client, server.base_url)
        server.answer = answer
        found = try_out(client, where)
        assert (found["ok"], found["reachable"], found["rung"]) == (False, True, None)
        assert (found["failure"]["code"], found["status"]) == (code, status)
        assert found["failure"]["message"].endswith(".")
        assert client.get(where).json()["last_test"] == found

    def test_what_no_other_question_would_change_is_asked_once(
        self, client: TestClient, server: Script
    ) -> None:
        server.answer = says(401, {})
        try_out(client, store(client, server.base_url))
        assert len(server.asked) == 1

    def test_a_port_where_nobody_listens_is_not_reached(
        self, settings: Settings, server: Script
    ) -> None:
        closed = f"http://127.0.0.1:{free_port()}"
        listed = settings.model_copy(update={"teacher_hosts": (closed,)})
        with TestClient(create_app(listed), base_url=BASE_URL) as client:
            found = try_out(client, store(client, f"{closed}/v1"))
        assert (found["ok"], found["reachable"], found["status"]) == (False, False, None)
        assert found["failure"]["code"] == "teacher-unreachable"

    def test_a_server_that_the_operator_struck_out_is_not_called(
        self, client: TestClient, settings: Settings, server: Script
    ) -> None:
        where = store(client, server.base_url)
        struck = settings.model_copy(update={"teacher_hosts": ("api.openai.com",)})
        with TestClient(create_app(struck), base_url=BASE_URL) as later:
            found = try_out(later, where)
        assert (found["failure"]["code"], found["reachable"]) == ("teacher-url-forbidden", False)
        assert server.asked == []

    def test_a_server_that_hangs_is_given_up(
        self, client: TestClient, server: Script, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def answer(asked: Asked) -> Answer:
            time.sleep(0.6)
            return teaches()(asked)

        server.answer = answer
        monkeypatch.setattr(probe, "TOTAL_SECONDS", 0.2)
        found = try_out(client, store(client, server.base_url))
        assert (found["failure"]["code"], found["reachable"]) == ("teacher-timeout", True)


class TestWhatIsKept:
    def test_a_probe_of_the_former_key_is_told_and_not_kept(
        self, client: TestClient, server: Script, database: Database
    ) -> None:
        where = store(client, server.base_url)
        teach = teaches()

        def answer(asked: Asked) -> Answer:
            # Another request changes the key while the probe is under way.
            with database.write() as session:
                TeacherRepository(session).replace_key(
                    TENANT,
                    TeacherId(where.removeprefix("/teachers/")),
                    sealed_key=None,
                    key_last4=None,
                )
            return teach(asked)

        server.answer = answer
        assert try_out(client, where)["ok"]
        assert client.get(where).json()["last_test"] is None

    def test_another_key_forgets_the_last_test_and_a_name_does_not(
        self, client: TestClient, server: Script
    ) -> None:
        where = store(client, server.base_url)
        found = try_out(client, where)
        assert client.patch(where, json={"name": "new"}).json()["last_test"] == found
        assert client.patch(where, json={"key": None}).json()["last_test"] is None

    def test_a_key_that_was_moved_to_another_address_is_not_sent(
        self, client: TestClient, server: Script, database: Database
    ) -> None:
        where = store(client, "https://api.openai.com/v1")
        with database.write() as session:
            row = session.get(TeacherRow, where.removeprefix("/teachers/"))
            assert row is not None
            row.base_url = server.base_url
        answer = client.post(f"{where}/test")
        assert (answer.status_code, answer.json()["code"]) == (500, "secret-unreadable")
        assert server.asked == []


@SQLITE
class TestPlaces:
    def test_beyond_the_most_a_test_is_refused_at_once(
        self, client: TestClient, server: Script
    ) -> None:
        where = store(client, server.base_url)
        full = probe.ProbePlaces(most=0)
        client.app.state.teacher_tests = full  # type: ignore[attr-defined]
        answer = client.post(f"{where}/test")
        assert (answer.status_code, answer.json()["code"]) == (503, "too-many-tests")
        assert int(answer.headers["Retry-After"]) > 0
        assert server.asked == []

    def test_a_place_is_free_again_after_a_test(self, client: TestClient, server: Script) -> None:
        where = store(client, server.base_url)
        client.app.state.teacher_tests = probe.ProbePlaces(most=1)  # type: ignore[attr-defined]
        for _ in range(2):
            assert try_out(client, where)["ok"]
