"""What every request passes: keys, hosts, sizes, methods, strict JSON; and how refusals look."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from pydantic import SecretStr

from app.main import create_app
from app.problems import describe
from core.config import Settings
from core.db.repositories.models import ModelRepository, NewModel
from core.db.session import Database
from core.errors import ServiceError
from core.ids import TenantId
from tests.app.conftest import BASE_URL
from tests.app.datasets.files import COUNTED
from tests.factories import make_dataset, make_job, make_teacher

OURS, THEIRS = "ours-key-that-is-long-enough", "theirs-key-that-is-long-too"
PARAMETER = re.compile(r"\{(\w+)\}")
# What a load balancer, a monitor or a reader of the contract asks for without a key.
OPEN = {"/healthz", "/readyz", "/version", "/metrics", "/problems/{code}", "/openapi.json"}
OPEN |= {"/docs", "/", "/static/{name:path}"}
MIB = 1024 * 1024


def keyed(settings: Settings) -> Settings:
    keys = (SecretStr(f"ours:{OURS}"), SecretStr(f"theirs:{THEIRS}"))
    return settings.model_copy(update={"api_keys": keys})


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def operations(app: FastAPI) -> list[tuple[str, str]]:
    """Every method and path that is not for everyone, documented or not."""
    found: list[tuple[str, str]] = []
    for context in iter_route_contexts(app.routes):
        assert context.path is not None, context
        methods = (context.methods or {"GET"}) - {"HEAD"}
        found += [(method, context.path) for method in methods if context.path not in OPEN]
    return sorted(found)


@pytest.fixture(scope="module")
def edge_settings(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("edge")
    shutil.copyfile(sqlite_template, folder / "llkd.db")
    return Settings(
        _env_file=None,  # type: ignore[call-arg]
        data_dir=folder,
    )


@pytest.fixture(scope="module")
def edge(edge_settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(edge_settings), base_url=BASE_URL) as client:
        yield client


@pytest.fixture
def keyed_client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(keyed(settings)), base_url=BASE_URL) as client:
        yield client


class TestKeys:
    @pytest.mark.parametrize(
        "header",
        [
            None,
            "",
            "Bearer",
            "Bearer ",
            f"Basic {OURS}",
            OURS,
            "Bearer wrong",
            f"Bearer {OURS}x",
            f"Bearer {OURS[:-1]}",
            "Bearer " + "x" * 5000,
            f"Bearer ours:{OURS}",
        ],
    )
    def test_without_a_known_key_every_address_answers_the_same(
        self, edge_settings: Settings, header: str | None
    ) -> None:
        app = create_app(keyed(edge_settings))
        with TestClient(app, base_url=BASE_URL) as client:
            asked = operations(app)
            assert len(asked) >= 18
            for method, path in asked:
                headers = {} if header is None else {"Authorization": header}
                answer = client.request(method, PARAMETER.sub("x", path), headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), path
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")
                assert answer.json()["detail"] == "A valid API key is required."

    def test_what_needs_no_key_shows_nothing_of_a_tenant(self, edge_settings: Settings) -> None:
        app = create_app(keyed(edge_settings))
        with TestClient(app, base_url=BASE_URL) as client:
            for path in ("/healthz", "/readyz", "/version", "/metrics", "/problems/gone"):
                assert client.get(path).status_code == 200

    def test_without_keys_loopback_is_one_tenant(self, edge: TestClient) -> None:
        assert edge.get("/datasets", headers=bearer("any")).status_code == 200


class TestTenants:
    def test_a_foreign_resource_is_as_if_it_were_not(
        self, keyed_client: TestClient, settings: Settings, database: Database
    ) -> None:
        with database.write() as session:
            dataset = make_dataset(session, tenant_id=TenantId("ours"), statistics=COUNTED)
            job = make_job(session, tenant_id=TenantId("ours"), dataset_id=dataset.id)
            new = NewModel(
                name="tickets",
                job_id=job.id,
                artifact="6" * 64,
                labels=["a", "b"],
                base_model="minilm",
                metrics={},
                export={},
                size_bytes=1,
            )
            models = ModelRepository(session)
            model = models.register(TenantId("ours"), new).id
            models.point(TenantId("ours"), "tickets", alias="champion", model_id=model)
            teacher = make_teacher(session, tenant_id=TenantId("ours")).id
            names = {"dataset_id": dataset.id, "job_id": job.id, "name": model}
            names |= {"teacher_id": teacher, "alias": "champion"}
        asked = [pair for pair in operations(create_app(settings)) if "{" in pair[1]]
        assert len(asked) >= 10
        task = {"dataset_id": dataset.id, "labels": [{"name": "a"}, {"name": "b"}]}
        bodies: dict[str, object] = {"predict": {"input": "a"}, "report-card": task}
        bodies |= {"deferral": {"max_teacher_calls": 1}, "kept_texts": {"below": 0.5}}
        for method, path in asked:
            # Aliases belong to a name, everything else of a model is found by its id too.
            known = names | ({"name": "tickets"} if "/aliases" in path else {})
            where = path.format(**known)
            usual = {"PATCH": {}, "PUT": {"model_id": model}}.get(method)
            body = bodies.get(path.rpartition("/")[2], usual)
            answer = keyed_client.request(method, where, headers=bearer(THEIRS), json=body)
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), where
        for path in ("/datasets", "/jobs", "/models", "/teachers"):
            assert keyed_client.get(path, headers=bearer(THEIRS)).json()["data"] == []
            assert len(keyed_client.get(path, headers=bearer(OURS)).json()["data"]) == 1


class TestHosts:
    @pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "LOCALHOST:1", "[::1]:8000"])
    def test_loopback_answers_to_its_own_names(self, edge: TestClient, host: str) -> None:
        assert edge.get("/healthz", headers={"Host": host}).status_code == 200

    @pytest.mark.parametrize(
        "host",
        ["", "evil.example", "127.0.0.1.evil.example", "a/b", "a b", "u@127.0.0.1", "localhost:x"],
    )
    def test_another_name_is_refused(self, edge: TestClient, host: str) -> None:
        answer = edge.get("/healthz", headers={"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-host")

    def test_an_operator_can_name_hosts(self, edge_settings: Settings) -> None:
        named = edge_settings.model_copy(update={"allowed_hosts": ("llkd.example",)})
        with TestClient(create_app(named), base_url="http://llkd.example") as client:
            assert client.get("/healthz").status_code == 200
            assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 400


class TestSizes:
    def test_a_body_over_the_limit_is_refused_by_its_length(self, edge: TestClient) -> None:
        answer = edge.post("/jobs", content=b" " * (MIB + 1))
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")

    def test_a_body_of_unsaid_length_is_counted(self, edge: TestClient) -> None:
        def long() -> Iterator[bytes]:
            for _ in range(20):
                yield b" " * 65536

        headers = {"Content-Type": "application/json"}
        answer = edge.post("/jobs", content=long(), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")

    def test_a_long_address_is_refused(self, edge: TestClient) -> None:
        answer = edge.get("/datasets?after=" + "x" * 20_000)
        assert (answer.status_code, answer.json()["code"]) == (414, "uri-too-long")

    def test_headers_beyond_any_need_are_refused(self, edge: TestClient) -> None:
        many = {f"X-{number}": "a" for number in range(120)}
        for headers in ({"X-Long": "a" * 16_400}, many):
            answer = edge.get("/version", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (431, "headers-too-large")

    def test_two_lengths_are_one_too_many(self, edge: TestClient) -> None:
        headers = {"Content-Length": "2", "Transfer-Encoding": "chunked"}
        answer = edge.post("/jobs", content=b"{}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed-request")
        assert answer.headers["Connection"] == "close"


class TestMethodsAndPaths:
    @pytest.mark.parametrize("path", ["/nothing", "/datasets/", "//datasets", "/datasets/a/b"])
    def test_an_unknown_path_is_not_found(self, edge: TestClient, path: str) -> None:
        answer = edge.get(BASE_URL + path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")

    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("PUT", "/datasets", {"GET", "POST"}),
            ("PATCH", "/datasets/ds_1", {"GET", "DELETE"}),
            ("POST", "/models/x/aliases/champion", {"GET", "PUT", "DELETE"}),
            ("DELETE", "/jobs", {"GET", "POST"}),
            ("GET", "/predict", {"POST"}),
            ("TRACE", "/healthz", {"GET"}),
            ("OPTIONS", "/version", {"GET"}),
        ],
    )
    def test_another_method_is_refused_and_the_right_ones_told(
        self, edge: TestClient, method: str, path: str, allowed: set[str]
    ) -> None:
        answer = edge.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
        assert set(answer.headers["Allow"].split(", ")) == allowed

    def test_a_page_of_another_origin_is_refused_before_it_calls(self, edge: TestClient) -> None:
        headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        answer = edge.options("/jobs", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross-origin-refused")
        assert not [name for name in answer.headers if name.startswith("access-control")]

    @pytest.mark.parametrize(
        "told",
        [
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:9000"},
            {"Sec-Fetch-Site": "cross-site", "Origin": BASE_URL},
            {"Sec-Fetch-Site": "same-site"},
        ],
    )
    def test_a_form_of_another_origin_is_refused(
        self, edge: TestClient, told: dict[str, str]
    ) -> None:
        for path in ("/datasets", "/jobs", "/predict"):
            answer = edge.post(path, files={"file": ("a.txt", b"text")}, headers=told)
            assert (answer.status_code, answer.json()["code"]) == (403, "cross-origin-refused")

    @pytest.mark.parametrize(
        "told",
        [
            {},
            {"Origin": BASE_URL},
            {"Sec-Fetch-Site": "same-origin", "Origin": "https://behind.a.proxy"},
            {"Sec-Fetch-Site": "none"},
        ],
    )
    def test_its_own_page_and_what_is_no_browser_may_call(
        self, edge: TestClient, told: dict[str, str]
    ) -> None:
        answer = edge.post("/predict", json={"model": "none", "input": "a"}, headers=told)
        assert answer.status_code == 404

    @pytest.mark.parametrize("accept", ["text/xml", "image/png, text/xml;q=0.5", "*/*;q=0"])
    def test_a_client_that_takes_nothing_of_ours_is_told(
        self, edge: TestClient, accept: str
    ) -> None:
        answer = edge.get("/datasets", headers={"Accept": accept})
        assert (answer.status_code, answer.json()["code"]) == (406, "not-acceptable")

    def test_a_foreign_page_is_given_no_permission(self, edge: TestClient) -> None:
        headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        for answer in (
            edge.options("/datasets", headers=headers),
            edge.get("/datasets", headers=headers),
        ):
            assert not [name for name in answer.headers if name.startswith("access-control")]


class TestStrictJson:
    @pytest.mark.parametrize(
        "path", ["/jobs", "/jobs/estimate", "/predict", "/models/x/predict", "/teachers"]
    )
    @pytest.mark.parametrize(
        ("body", "kind", "status", "code"),
        [
            (b"", "application/json", 400, "malformed-json"),
            (b"{", "application/json", 400, "malformed-json"),
            (b'{"a": 1,}', "application/json", 400, "malformed-json"),
            (b'{"a": NaN}', "application/json", 400, "malformed-json"),
            (b'{"a": -Infinity}', "application/json", 400, "malformed-json"),
            (b'{"a": ' + b"9" * 5000 + b"}", "application/json", 400, "malformed-json"),
            (b"[" * 100_000, "application/json", 400, "json-too-deep"),
            (b'{"a": 1, "a": 2}', "application/json", 400, "duplicate-key"),
            (b'{"a": {"b": 1, "b": 2}}', "application/json; charset=utf-8", 400, "duplicate-key"),
            ('{"a": "é"}'.encode("latin-1"), "application/json", 400, "invalid-encoding"),
            ('{"a": 1}'.encode("utf-16"), "application/json", 400, "invalid-encoding"),
            (b"{}", "text/plain", 415, "unsupported-media-type"),
            (b"{}", "", 415, "unsupported-media-type"),
            (b"[]", "application/json", 422, "validation-error"),
            (b"null", "application/json", 422, "validation-error"),
            (b'"a"', "application/json", 422, "validation-error"),
            (b'{"epoch": 3}', "application/json", 422, "validation-error"),
        ],
    )
    def test_every_endpoint_has_the_same_edge(
        self, edge: TestClient, path: str, body: bytes, kind: str, status: int, code: str
    ) -> None:
        headers = {"Content-Type": kind} if kind else {}
        answer = edge.post(path, content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)

    @pytest.mark.parametrize("path", ["/jobs", "/predict", "/predictions", "/teachers"])
    def test_a_body_that_is_no_object_is_told_so_in_json_s_own_words(
        self, edge: TestClient, path: str
    ) -> None:
        answer = edge.post(path, json=["a"])
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith("The body: Input should be a JSON object")

    def test_a_byte_order_mark_is_called_by_its_name(self, edge: TestClient) -> None:
        headers = {"Content-Type": "application/json"}
        answer = edge.post("/predict", content=b"\xef\xbb\xbf{}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed-json")
        assert "byte order mark" in answer.json()["detail"]
        assert "utf-8-sig" not in answer.json()["detail"]

    @pytest.mark.parametrize(
        ("field", "words"),
        [("model", "name@alias"), ("dataset_id", "(ds_…)"), ("name", "1 to 64 of a-z")],
    )
    def test_no_regular_expression_is_told(self, edge: TestClient, field: str, words: str) -> None:
        body = {"model": "tickets", "dataset_id": "ds_01JZ8PW3N6C4Q0G7H2K5M9R1TB"}
        answer = edge.post("/predictions", json=body | {field: "A B"})
        (fault,) = answer.json()["errors"]
        assert (fault["pointer"], fault["code"]) == (f"/{field}", "string_pattern_mismatch")
        assert words in fault["message"]
        assert "{" not in fault["message"]

    def test_brackets_inside_strings_nest_nothing(self, edge: TestClient) -> None:
        body = json.dumps({"model": "x", "input": '"[{\\' * 1000})
        headers = {"Content-Type": "application/json"}
        answer = edge.post("/predict", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")

    def test_a_packed_body_is_refused(self, edge: TestClient) -> None:
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        answer = edge.post("/jobs", content=b"{}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-encoding")


class TestHangingUp:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/predict"),
            ("POST", "/v1/classify"),
            ("POST", "/jobs"),
            ("POST", "/datasets"),
            ("PUT", "/models/x/aliases/champion"),
            ("PUT", "/models/x/kept_texts"),
        ],
    )
    def test_a_body_that_ends_early_is_no_fault_of_the_service(
        self, edge: TestClient, method: str, path: str
    ) -> None:
        messages: Iterator[dict[str, Any]] = iter(
            [
                {"type": "http.request", "body": b'{"model": "tick', "more_body": True},
                {"type": "http.disconnect"},
            ]
        )
        statuses: list[int | None] = []

        async def receive() -> dict[str, Any]:
            return next(messages)

        async def send(message: dict[str, Any]) -> None:
            statuses.append(message.get("status"))

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [
                (b"host", b"127.0.0.1"),
                (b"content-type", b"application/json"),
                (b"content-length", b"1000"),
            ],
        }
        assert edge.portal is not None
        app: Any = edge.app
        # An error that no handler knows is raised here, after it was logged.
        edge.portal.call(app, scope, receive, send)
        assert statuses[0] == 400


def kinds(root: type[ServiceError] = ServiceError) -> Iterator[type[ServiceError]]:
    yield root
    for kind in root.__subclasses__():
        yield from kinds(kind)


class TestProblems:
    def test_a_refusal_is_a_problem_document(self, edge: TestClient) -> None:
        answer = edge.get("/datasets?limit=0", headers={"X-Request-ID": "mine-1"})
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["X-Request-ID"] == "mine-1"
        problem = answer.json()
        assert set(problem) == {
            "type",
            "title",
            "status",
            "detail",
            "instance",
            "code",
            "request_id",
            "errors",
        }
        assert (problem["status"], problem["instance"]) == (422, "/datasets")
        assert problem["request_id"] == "mine-1"
        assert problem["errors"][0]["pointer"] == "query:limit"

    @pytest.mark.parametrize("asked", ["", "a b", "x" * 200, 'a"b'])
    def test_a_strange_request_id_is_replaced(self, edge: TestClient, asked: str) -> None:
        answer = edge.get("/version", headers={"X-Request-ID": asked})
        assert answer.headers["X-Request-ID"].startswith("req_")

    def test_every_type_leads_to_a_page_that_explains_it(self, edge: TestClient) -> None:
        for kind in kinds():
            page = edge.get(f"/problems/{kind.code}")
            assert page.status_code == 200
            assert page.headers["Content-Type"].startswith("text/plain")
            assert describe(kind) in page.text

    def test_every_kind_of_problem_has_a_story_a_title_and_a_code(self) -> None:
        for kind in kinds():
            if kind is ServiceError:
                continue
            assert kind.__doc__, kind
            assert kind.title, kind
            assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.code), kind
            assert 400 <= kind.status < 600, kind

    def test_an_unknown_type_is_not_found(self, edge: TestClient) -> None:
        assert edge.get("/problems/nothing").status_code == 404

    def test_answers_are_not_sniffed_and_not_stored(self, edge: TestClient) -> None:
        for path in ("/datasets", "/nothing", "/version"):
            answer = edge.get(path)
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"
