"""The client says what the contract says, and turns problems into messages."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from demo.api_client import ApiClient, ApiProblem
from tests.demo import recorded

Handler = Callable[[httpx.Request], httpx.Response]


def client_of(handler: Handler) -> ApiClient:
    return ApiClient("http://service", transport=httpx.MockTransport(handler))


class TestUpload:
    def test_the_file_and_its_columns_travel_as_a_form(self, tmp_path: Path) -> None:
        file = tmp_path / "train.jsonl"
        file.write_text('{"text": "hello"}\n', encoding="utf-8")
        asked: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            request.read()
            asked.append(request)
            return httpx.Response(201, json={"id": "ds_1", "object": "dataset"})

        with client_of(answer) as client:
            made = client.upload(file, name="pool", text_column="text", label_column="label")
        assert made["id"] == "ds_1"
        assert (asked[0].method, asked[0].url.path) == ("POST", "/datasets")
        body = asked[0].content.decode()
        assert 'name="file"; filename="train.jsonl"' in body
        assert '{"text": "hello"}' in body
        for field, value in {
            "name": "pool",
            "text_column": "text",
            "label_column": "label",
        }.items():
            assert f'name="{field}"\r\n\r\n{value}\r\n' in body


class TestAsk:
    def test_a_prediction_names_model_texts_and_top_k(self) -> None:
        def answer(request: httpx.Request) -> httpx.Response:
            assert json.loads(request.content) == {
                "model": "model_1",
                "input": ["a", "b"],
                "top_k": 3,
            }
            return httpx.Response(200, json={"object": "list", "data": []})

        with client_of(answer) as client:
            assert client.predict("model_1", ["a", "b"], top_k=3)["data"] == []

    def test_active_jobs_are_the_queued_and_the_running_ones(self) -> None:
        def answer(request: httpx.Request) -> httpx.Response:
            state = request.url.params["state"]
            return httpx.Response(200, json={"data": [recorded.job(state=state)]})

        with client_of(answer) as client:
            assert [job["state"] for job in client.active_jobs()] == ["queued", "running"]

    def test_a_refusal_says_status_reason_and_place(self) -> None:
        problem = {
            "status": 422,
            "title": "The request is not valid",
            "detail": "1 field is wrong",
            "code": "invalid_request",
            "errors": [{"pointer": "/labels", "code": "too_short", "message": "at least 2"}],
        }
        with (
            client_of(lambda _: httpx.Response(422, json=problem)) as client,
            pytest.raises(ApiProblem, match=r"422 .*not valid.*\n.*/labels: at least 2") as caught,
        ):
            client.create_job({})
        assert (caught.value.status, caught.value.code) == (422, "invalid_request")

    def test_an_answer_that_is_not_json_is_still_a_message(self) -> None:
        with (
            client_of(lambda _: httpx.Response(502, text="bad gateway")) as client,
            pytest.raises(ApiProblem, match=r"502 .*bad gateway"),
        ):
            client.job("job_1")
