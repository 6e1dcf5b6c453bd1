"""Predictions are answered before FastAPI's router, and as it would have answered them."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from app.predict.quick_door import QuickDoor
from app.predict.quick_route import QuickRoute


class Broken(Exception):
    pass


def endpoint(request: Request) -> Response:
    return PlainTextResponse("by the router")


class Route(QuickRoute):
    """As one of ours, but it neither validates nor predicts."""

    def get_route_handler(self):
        async def quickly(request: Request) -> Response:
            if "broken" in request.query_params:
                raise Broken
            return PlainTextResponse(f"at the door: {request.path_params}")

        return quickly


async def told(request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"refused: {type(error).__name__}", status_code=418)


@pytest.fixture
def client():
    app = FastAPI()
    app.get("/models/{name}/predict")(endpoint)
    routes = [Route("/models/{name}/predict", endpoint, methods=["POST"])]
    app.add_middleware(QuickDoor, routes=routes, answer_error=told)
    return TestClient(app)


class TestQuickDoor:
    def test_a_route_of_its_own_is_answered_with_what_the_path_names(self, client):
        answer = client.post("/models/a%20b/predict")
        assert answer.text == "at the door: {'name': 'a b'}"

    def test_another_method_is_left_to_the_router(self, client):
        assert client.get("/models/a/predict").text == "by the router"
        assert client.delete("/models/a/predict").status_code == 405

    def test_another_path_is_left_to_the_router(self, client):
        assert client.post("/models/a/b/predict").status_code == 404

    def test_what_a_route_raises_is_told_by_those_who_tell_errors(self, client):
        answer = client.post("/models/a/predict?broken")
        assert (answer.status_code, answer.text) == (418, "refused: Broken")
