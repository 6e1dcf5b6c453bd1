"""No line of a log holds a secret, whoever wrote it."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from pydantic import SecretStr

from core.config import Settings
from core.logging import REDACTED, configure_logging, hide_in_logs, secrets_of

CANARY = "canary-4f1d-9a7c-password"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root, before = logging.root, (logging.root.handlers[:], logging.root.level)
    written = io.StringIO()
    configure_logging(secrets=[CANARY], stream=written)
    yield written
    root.handlers[:], root.level = before[0], before[1]
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


class TestALine:
    def test_is_one_json_object(self, stream: io.StringIO) -> None:
        structlog.get_logger("worker.x").info("job_reaped", job_id="job_1")
        (line,) = lines(stream)
        assert (line["event"], line["job_id"], line["level"]) == ("job_reaped", "job_1", "info")

    def test_of_another_library_looks_alike(self, stream: io.StringIO) -> None:
        logging.getLogger("celery.worker").info("ready %s", "now")
        assert lines(stream)[0]["event"] == "ready now"

    def test_of_a_library_about_its_insides_is_left_out(self, stream: io.StringIO) -> None:
        logging.getLogger("onnx_ir.passes").info("Replaced initializer")
        assert lines(stream) == []


class TestASecret:
    def test_is_scrubbed_wherever_it_stands(self, stream: io.StringIO) -> None:
        structlog.get_logger("app.x").info(f"got {CANARY}", deep={"list": [f"x{CANARY}y"]})
        logging.getLogger("app.y").warning("connecting with %s", CANARY)
        try:
            raise ConnectionError(f"cannot log in as {CANARY}")
        except ConnectionError:
            structlog.get_logger("app.z").exception("failed")
        assert CANARY not in stream.getvalue()
        assert stream.getvalue().count(REDACTED) >= 4

    def test_learned_after_the_start_is_scrubbed_from_then_on(self, stream: io.StringIO) -> None:
        late = "canary-late-2b7e-key"
        log = structlog.get_logger("app.x")
        log.info("before", note=f"has {late}")
        hide_in_logs(late)
        log.info("after", note=f"has {late}")
        logging.getLogger("app.y").warning("with %s and %s", late, CANARY)
        before, after, foreign = lines(stream)
        assert before["note"] == f"has {late}"
        assert after["note"] == f"has {REDACTED}"
        assert foreign["event"] == f"with {REDACTED} and {REDACTED}"

    def test_that_begins_another_leaves_nothing_of_it(self, stream: io.StringIO) -> None:
        hide_in_logs("canary-begin", "canary-begin-and-end")
        hide_in_logs("short")
        structlog.get_logger("app.x").info("x", note="canary-begin-and-end, short")
        assert lines(stream)[0]["note"] == f"{REDACTED}, short"

    def test_in_a_field_named_like_one_is_scrubbed_unseen(self, stream: io.StringIO) -> None:
        structlog.get_logger("app.x").info("made", api_key="k-123", headers={"Authorization": "B"})
        (line,) = lines(stream)
        assert line["api_key"] == REDACTED
        assert line["headers"] == {"Authorization": REDACTED}

    def test_in_a_url_is_scrubbed_unseen(self, stream: io.StringIO) -> None:
        structlog.get_logger("app.x").info("up", url="redis://:hunter2@host/0")
        assert lines(stream)[0]["url"] == f"redis://:{REDACTED}@host/0"


class TestTheSecretsOfSettings:
    def test_are_all_found(self) -> None:
        settings = Settings(
            database_url=SecretStr("postgresql+psycopg://u:database-pass@h/d"),
            redis_url=SecretStr("redis://:redis-pass@h/0"),
            api_keys=(SecretStr("tenant:0123456789-0123456789-key"),),
            secret_keys=(SecretStr("k1:d3JhcHBpbmcta2V5"),),
        )
        found = {"database-pass", "redis-pass", "0123456789-0123456789-key", "d3JhcHBpbmcta2V5"}
        assert set(secrets_of(settings)) == found
