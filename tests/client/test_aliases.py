"""An alias is moved only if it is still what its mover believes."""

import json
from typing import Any

import httpx
import pytest

from llkd_client import Conflict, ConnectionFailed
from tests.client.parts import Script, problem

BROKEN = httpx.ReadError("reset")
TAG = '"0f343b09"'
pytestmark = pytest.mark.parametrize("kind", ["sync", "async"])


def alias(*, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
    told = {
        "object": "model_alias",
        "name": "tickets",
        "alias": "champion",
        "model_id": "model_1",
        "version": 1,
        "moved_at": "2026-01-01T00:00:00Z",
        **fields,
    }
    return httpx.Response(200, json=told, headers=headers)


class TestAlias:
    def test_it_is_read_with_the_tag_that_a_move_takes(self, kind):
        script = Script(alias(headers={"ETag": TAG}), alias(model_id="model_2"))
        models = script.client(kind).models
        told = models.alias("tickets", "champion")
        assert (told.model_id, told.etag) == ("model_1", TAG)
        moved = models.set_alias("tickets", "champion", "model_2", if_match=told.etag)
        assert moved.model_id == "model_2"
        read, put = script.asked
        assert read.url.path == put.url.path == "/models/tickets/aliases/champion"
        assert (read.method, put.method) == ("GET", "PUT")
        assert put.headers["If-Match"] == TAG
        assert json.loads(put.content) == {"model_id": "model_2"}


class TestConditions:
    def test_each_is_sent_only_if_it_was_given(self, kind):
        script = Script(alias(), alias(), httpx.Response(204), httpx.Response(204))
        models = script.client(kind).models
        models.set_alias("tickets", "champion", "model_1")
        models.set_alias("tickets", "champion", "model_1", if_none_match="*")
        models.delete_alias("tickets", "champion", if_match=TAG)
        models.delete_alias("tickets", "champion", if_none_match=TAG)
        told = [
            {
                name: each.headers[name]
                for name in ("if-match", "if-none-match")
                if name in each.headers
            }
            for each in script.asked
        ]
        assert told == [{}, {"if-none-match": "*"}, {"if-match": TAG}, {"if-none-match": TAG}]

    def test_whoever_believes_wrongly_is_told(self, kind):
        script = Script(problem(412, "precondition-failed"))
        with pytest.raises(Conflict) as caught:
            script.client(kind).models.delete_alias("tickets", "champion", if_match=TAG)
        assert caught.value.status == 412

    def test_a_conditional_move_is_not_repeated_against_itself(self, kind):
        script = Script(problem(503), BROKEN)
        with pytest.raises(ConnectionFailed):
            script.client(kind).models.set_alias("tickets", "champion", "model_1", if_match=TAG)
        assert script.is_over

    def test_any_other_move_is(self, kind):
        script = Script(BROKEN, alias())
        models = script.client(kind).models
        assert models.set_alias("tickets", "champion", "model_1").version == 1
