"""A teacher behind a wire, asked by a real worker: nothing is bought twice, no key gets out."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from core.db.base import Row
from tests.acceptance.deployment import JOB, Deployment, Json, wait_until
from tests.app.teachers.parts import CANARY
from tests.fault_server import (
    ANSWERS,
    Asked,
    FaultServer,
    Reaction,
    always,
    completion,
    error,
    faulty,
    late,
    reply,
    says,
)
from tests.worker.corpus import add_dataset, add_distillation, make_rows, make_spec

Figure = Callable[[str], None]
CONCURRENCY = 64
pytestmark = pytest.mark.timeout(1500)


def host(server: FaultServer) -> str:
    return server.url.removesuffix("/v1")


def teacher_at(server: FaultServer, **given: Any) -> Json:
    return {"kind": "openai", "base_url": server.url, "model": "m", **given}


class TestAChildThatIsKilledWhileItAsks:
    def test_buys_no_more_than_what_was_in_flight_again(
        self, embedded: Deployment, figure: Figure
    ) -> None:
        rows = make_rows(400, gold=40)
        texts = {row["text"] for row in rows}
        with faulty(always(late(0.1))) as server:
            embedded.allow_teachers(host(server))
            embedded.start_api()
            embedded.start_worker()
            dataset = embedded.upload([*rows, *rows[:25]])
            job_id = embedded.submit(dataset, teacher=teacher_at(server, concurrency=CONCURRENCY))
            wait_until(lambda: len(server.asked) > 150, what="a third of the texts is asked about")
            for child in embedded.children():
                os.kill(child, signal.SIGKILL)
            row = embedded.wait_for_end(job_id)
            bought = Counter(each.text for each in server.asked if each.text in texts)
        again = bought.total() - len(texts)
        figure(f"{again} of {len(texts)} calls made again after a kill -9 (at most {CONCURRENCY})")
        assert row.attempt == 2
        assert set(bought) == texts
        assert again <= CONCURRENCY
        # What was held when it died counts as spent: it may have been billed.
        assert len(texts) <= row.spent_calls <= len(texts) + 3 * CONCURRENCY
        assert row.held_calls == row.held_micros == 0
        counts = embedded.outputs(job_id)["label"]["counts"]
        statistics = embedded.http.get(f"/datasets/{dataset}").json()["statistics"]
        assert counts["asked"] == counts["answered"] == statistics["unique"] == len(texts)
        assert statistics["unique"] + statistics["duplicates"] == statistics["rows"] == 425


# What leads to a socket of this machine that nobody listed, as a URL spells it.
FORBIDDEN = (
    "http://127.0.0.1:{port}/v1",
    "http://127.1:{port}/v1",
    "http://2130706433:{port}/v1",
    "http://0x7f000001:{port}/v1",
    "http://0177.0.0.1:{port}/v1",
    "http://[::1]:{port}/v1",
    "http://[::ffff:127.0.0.1]:{port}/v1",
    "http://[64:ff9b::7f00:1]:{port}/v1",
    "http://[2002:7f00:1::]:{port}/v1",
    "http://localhost:{port}/v1",
    "http://LOCALHOST.:{port}/v1",
    "http://0.0.0.0:{port}/v1",
    "http://127.0.0.1:{allowed}@127.0.0.1:{port}/v1",
    "http://127.0.0.1:{allowed}#@127.0.0.1:{port}/v1",
    "http://127.0.0.1:{allowed}\\@127.0.0.1:{port}/v1",
    "https://127.0.0.1:{port}/v1",
    "gopher://127.0.0.1:{port}/v1",
    "file://127.0.0.1:{port}/etc/passwd",
    "http://169.254.169.254/latest/meta-data",
    "http://metadata.google.internal/v1",
    "http://100.64.0.1:{port}/v1",
)


@pytest.fixture
def trap() -> Iterator[FaultServer]:
    """A server on this machine that nobody may be led to."""
    with faulty(always(ANSWERS)) as server:
        yield server


class TestWhatMayNotBeCalled:
    def test_is_called_by_neither_the_api_nor_a_worker(
        self,
        embedded: Deployment,
        trap: FaultServer,
        monkeypatch: pytest.MonkeyPatch,
        figure: Figure,
    ) -> None:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, host(trap))
        redirect = says(reply({}, 307, location=f"{trap.url}/chat/completions"))
        with faulty(always(redirect)) as server:
            embedded.allow_teachers(host(server))
            embedded.start_api()
            dataset = embedded.upload()
            for url in FORBIDDEN:
                forbidden = url.format(port=trap.port, allowed=server.port)
                self.assert_refused(embedded, forbidden, dataset)
            stored = embedded.http.post(
                "/teachers", json={"name": "t", "base_url": server.url, "model": "m"}
            )
            found = embedded.http.post(f"/teachers/{stored.json()['id']}/test").json()
            assert found["failure"]["code"] == "teacher-redirect"
            redirected = embedded.submit(dataset, teacher=teacher_at(server))
            # As if the operator had struck the trap out after the job was taken.
            struck = self.job_at(embedded, trap)
            embedded.start_worker()
            row = embedded.wait_for_end(struck, state="failed")
            assert row.error is not None
            assert row.error["code"] == "teacher-url-forbidden"
            wait_until(
                lambda: (
                    (embedded.tell(redirected)["waiting"] or {}).get("code")
                    == "teacher-unavailable"
                ),
                what="the redirected job is parked",
            )
            assert server.accepted > 0
        figure(f"{trap.accepted} connections where none may be, by {len(FORBIDDEN)} spellings")
        assert trap.accepted == 0

    def assert_refused(self, deployment: Deployment, url: str, dataset: str) -> None:
        body = {"name": "t", "base_url": url, "model": "m", "key": CANARY}
        job = {"name": "t", "dataset_id": dataset, **JOB}
        job["teacher"] = {"kind": "openai", "base_url": url, "model": "m"}
        for path, sent in (("/teachers", body), ("/jobs", job), ("/jobs/estimate", job)):
            answer = deployment.http.post(path, json=sent)
            assert answer.status_code == 422, (path, url, answer.text)
            assert CANARY not in answer.text

    def job_at(self, deployment: Deployment, server: FaultServer) -> str:
        dataset = add_dataset(deployment.database, deployment.folder, make_rows(40, gold=0))
        spec = make_spec(teacher=teacher_at(server))
        return add_distillation(deployment.database, dataset, spec=spec)


class TestATeachersKey:
    def test_is_found_nowhere_but_at_its_server(self, embedded: Deployment, figure: Figure) -> None:
        """The server repeats it wherever a server can."""
        shown: dict[int, bytes] = {}

        def look(asked: Asked) -> None:
            if not shown and len(server.asked) > 100:
                shown.update(embedded.processes())

        def react(asked: Asked) -> Reaction:
            number = len(server.asked)
            if number % 50 == 0:
                return error(
                    400, code="content_filter", message=f"No, {asked.key}", x_key=str(asked.key)
                )
            if number % 50 == 1 and number > 1:
                return error(500, code=str(asked.key), message=f"Oh, {asked.key}")
            if number % 50 == 2:
                return says(reply(completion(content=asked.key, logprobs=None)))
            return says(reply(completion() | {"model": f"m {asked.key}", "id": asked.key}))

        with faulty(react) as server:
            server.look = look
            embedded.allow_teachers(host(server))
            embedded.start_api()
            embedded.start_worker()
            body = {"name": "t", "base_url": server.url, "model": "m", "key": CANARY}
            teacher = embedded.http.post("/teachers", json=body).json()["id"]
            told = [embedded.http.post(f"/teachers/{teacher}/test").text]
            spec = {"kind": "openai", "teacher_id": teacher}
            job_id = embedded.submit(embedded.upload(), teacher=spec)
            embedded.wait_for_end(job_id)
            paths = [f"/teachers/{teacher}", "/teachers", f"/jobs/{job_id}", "/jobs", "/models"]
            paths += [f"/jobs/{job_id}/{part}" for part in ("events", "labels", "report")]
            told += [embedded.http.get(path).text for path in paths]
            with_key = Counter(asked.key for asked in server.asked)
        assert set(with_key) == {CANARY}
        assert sum(b"worker.child" in each for each in shown.values()) == 1
        files = [path for path in embedded.folder.rglob("*") if path.is_file()]
        assert any(path.suffix == ".log" for path in files)
        places = {
            "responses": told,
            "processes": [each.decode(errors="replace") for each in shown.values()],
            "files": [path.read_bytes().decode("latin-1") for path in files],
            "rows": self.rows(embedded),
        }
        found = {name: sum(CANARY in each for each in texts) for name, texts in places.items()}
        searched = ", ".join(f"{len(texts)} {name}" for name, texts in places.items())
        figure(f"the key in {sum(found.values())} of {searched}")
        assert found == dict.fromkeys(places, 0)
        assert any("[redacted]" in each for each in places["rows"])

    def rows(self, deployment: Deployment) -> list[str]:
        """All of the database as text."""
        with deployment.database.read() as session:
            return [
                repr(tuple(row))
                for table in Row.metadata.sorted_tables
                for row in session.execute(text(f'SELECT * FROM "{table.name}"'))
            ]
