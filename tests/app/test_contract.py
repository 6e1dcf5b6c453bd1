"""What /openapi.json promises: every field told, unknown ones refused, never a 5xx."""

import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, settings
from schemathesis import Case

from app.main import create_app
from core.config import Settings
from migrations import upgrade
from tests.servers import free_port

Json = dict[str, Any]


def _settings(folder: Path, *, port: int = 8000) -> Settings:
    return Settings(
        _env_file=None,  # type: ignore[call-arg] # a developer's own must not decide
        data_dir=folder,
        port=port,
    )


# Building an app opens nothing, so this needs no folder.
OPENAPI: Json = create_app(_settings(Path("unused"))).openapi()
SCHEMAS: Json = OPENAPI["components"]["schemas"]
schema = schemathesis.openapi.from_dict(OPENAPI)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server on a free port, with an empty database."""
    port = free_port()
    own = _settings(tmp_path_factory.mktemp("contract"), port=port)
    upgrade(own.database)
    server = uvicorn.Server(
        uvicorn.Config(create_app(own), host="127.0.0.1", port=port, http="h11", log_config=None)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < deadline
        assert thread.is_alive()
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(30)


@cache
def _explained(address: str, code: str) -> str:
    """The page behind a problem's type."""
    page = httpx.get(f"{address}/problems/{code}")
    assert page.status_code == 200, code
    return page.text


class TestEveryOperation:
    @schema.parametrize()
    @settings(
        max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    def test_whatever_comes_is_no_fault_of_the_service(self, case: Case[Any], address: str) -> None:
        answer = case.call(base_url=address, timeout=30)
        assert answer.status_code < 500, (answer.status_code, answer.text)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == ["application/problem+json"]
            problem = answer.json()
            assert problem["status"] == answer.status_code
            assert problem["type"] == f"/problems/{problem['code']}"
            assert problem["code"] in _explained(address, problem["code"])


class TestDocumentation:
    def test_every_field_has_a_description_or_an_example(self) -> None:
        bare = [
            f"{name}.{field}"
            for name, model in SCHEMAS.items()
            for field, told in model.get("properties", {}).items()
            if not TELLING & set(_followed(told))
        ]
        assert bare == []

    def test_every_parameter_has_a_description_or_an_example(self) -> None:
        bare = [
            f"{method} {path} {parameter['name']}"
            for path, methods in OPENAPI["paths"].items()
            for method, operation in methods.items()
            for parameter in operation.get("parameters", [])
            if not TELLING & {*parameter, *parameter["schema"]}
        ]
        assert bare == []

    def test_every_operation_says_what_it_does(self) -> None:
        silent = [
            f"{method} {path}"
            for path, methods in OPENAPI["paths"].items()
            for method, operation in methods.items()
            if not operation.get("description")
        ]
        assert silent == []

    def test_every_object_that_is_taken_forbids_unknown_fields(self) -> None:
        taken = {name for name in SCHEMAS if name in _taken()}
        assert {"JobCreate", "PredictRequest", "Label", "TrainingSpec"} <= taken
        open_ones = [
            name for name in taken if SCHEMAS[name].get("additionalProperties") is not False
        ]
        assert open_ones == []


TELLING = {"description", "example", "examples", "const"}


def _followed(told: Json) -> Json:
    """A field that is a reference is told by what it leads to."""
    if "$ref" not in told:
        return told
    target: Json = SCHEMAS[told["$ref"].rpartition("/")[2]]
    return told | target


def _taken() -> set[str]:
    """The schemas of request bodies, and those they lead to."""
    waiting: list[Any] = [
        operation["requestBody"]
        for methods in OPENAPI["paths"].values()
        for operation in methods.values()
        if "requestBody" in operation
    ]
    found: set[str] = set()
    while waiting:
        match waiting.pop():
            case {"$ref": str(reference)}:
                name = reference.rpartition("/")[2]
                if name not in found:
                    found.add(name)
                    waiting.append(SCHEMAS[name])
            case dict(inner):
                waiting.extend(inner.values())
            case list(inner):
                waiting.extend(inner)
    return found
