"""/models/{name}/aliases: moved in one step, by nobody who believes what is no longer so."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from app.models.aliases import MOST_ALIASES
from core.db.session import Database
from core.ids import TenantId, new_model_id
from tests.app.models.parts import register

CHAMPION = "/models/tickets/aliases/champion"
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def put(
    client: TestClient, model_id: str, *, at: str = CHAMPION, headers: dict[str, str] | None = None
) -> Response:
    return client.put(at, json={"model_id": model_id}, headers=headers)


def refused(answer: Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


class TestPutAlias:
    def test_it_is_made_moved_and_moved_back(self, client: TestClient, database: Database) -> None:
        older, newer = register(database), register(database)
        made = put(client, older)
        assert (made.status_code, made.json()["previous_model_id"]) == (201, None)
        assert (made.json()["version"], made.json()["alias"]) == (1, "champion")
        moved = put(client, newer)
        assert (moved.status_code, moved.json()["previous_model_id"]) == (200, older)
        assert client.get("/models/tickets@champion").json()["id"] == newer
        assert put(client, moved.json()["previous_model_id"]).json()["model_id"] == older
        assert client.get("/models/tickets@champion").json()["aliases"] == ["champion"]
        assert client.get("/models/tickets").json()["aliases"] == ["latest"]

    @on_sqlite
    def test_the_same_again_changes_nothing(self, client: TestClient, database: Database) -> None:
        model_id = register(database)
        first = put(client, model_id).json()
        again = put(client, model_id)
        assert again.status_code == 200
        assert again.json() == first | {"previous_model_id": model_id}

    @on_sqlite
    def test_latest_is_not_moved_by_hand(self, client: TestClient, database: Database) -> None:
        older, newer = register(database), register(database)
        answer = put(client, older, at="/models/tickets/aliases/latest")
        assert refused(answer) == (409, "alias-reserved")
        assert "alias of your own" in answer.json()["detail"]
        assert client.get("/models/tickets").json()["id"] == newer

    @on_sqlite
    def test_it_points_only_at_models_of_its_name(
        self, client: TestClient, database: Database
    ) -> None:
        register(database)
        other_name = register(database, name="mails")
        foreign = register(database, tenant=TenantId("other"))
        for model_id, code in (
            (other_name, "other-name"),
            (foreign, "not-found"),
            (new_model_id(), "not-found"),
            ("tickets", "id-required"),
            ("", "id-required"),
        ):
            answer = put(client, model_id)
            assert refused(answer) == (422, "validation-error"), model_id
            assert answer.json()["errors"][0]["pointer"] == "/model_id"
            assert answer.json()["errors"][0]["code"] == code
        assert client.get(CHAMPION).status_code == 404

    @on_sqlite
    @pytest.mark.parametrize("alias", ["3", "v3", "A", "-a", "a b", "a@b", "x" * 65, "%0a", "ä"])
    def test_a_word_that_is_no_alias_is_refused(
        self, client: TestClient, database: Database, alias: str
    ) -> None:
        at = f"/models/tickets/aliases/{alias}"
        answer = put(client, register(database), at=at)
        assert refused(answer) == (422, "validation-error")
        assert answer.json()["errors"][0]["pointer"] == "path:alias"
        assert refused(client.get(at)) == (404, "not-found")

    @on_sqlite
    def test_what_has_no_models_has_no_aliases(
        self, client: TestClient, database: Database
    ) -> None:
        model_id = register(database)
        foreign = register(database, name="theirs", tenant=TenantId("other"))
        for name in ("mails", "theirs", model_id, "tickets@latest", "%00", "x" * 5000):
            at = f"/models/{name}/aliases"
            for answer in (
                client.get(at),
                client.get(f"{at}/champion"),
                put(client, foreign, at=f"{at}/champion"),
                client.delete(f"{at}/champion"),
            ):
                assert refused(answer) == (404, "not-found"), name

    @on_sqlite
    def test_an_id_in_the_place_of_the_name_is_called_one(
        self, client: TestClient, database: Database
    ) -> None:
        model_id = register(database)
        answer = put(client, model_id, at=f"/models/{model_id}/aliases/champion")
        assert refused(answer) == (404, "not-found")
        assert "is an id. Ask by the model's name." in answer.json()["detail"]

    @on_sqlite
    def test_a_deleted_model_is_named_by_its_field(
        self, client: TestClient, database: Database
    ) -> None:
        deleted, _ = register(database), register(database)
        assert client.delete(f"/models/{deleted}").status_code == 204
        answer = put(client, deleted)
        assert refused(answer) == (410, "gone")
        assert answer.json()["errors"][0]["pointer"] == "/model_id"

    @on_sqlite
    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({}, "/model_id"),
            ({"model_id": None}, "/model_id"),
            ({"model_id": 3}, "/model_id"),
            ({"model_id": "x" * 201}, "/model_id"),
            ({"model_id": "model_1", "version": 3}, "/version"),
            (["model_1"], ""),
        ],
    )
    def test_another_body_is_refused_at_its_place(
        self, client: TestClient, body: object, pointer: str
    ) -> None:
        answer = client.put(CHAMPION, json=body)
        assert refused(answer) == (422, "validation-error")
        assert answer.json()["errors"][0]["pointer"] == pointer

    @on_sqlite
    def test_aliases_of_a_name_are_numbered(self, client: TestClient, database: Database) -> None:
        model_id = register(database)
        for number in range(MOST_ALIASES - 1):
            put(client, model_id, at=f"/models/tickets/aliases/a{number}")
        assert refused(put(client, model_id)) == (409, "too-many-aliases")
        assert put(client, model_id, at="/models/tickets/aliases/a0").status_code == 200


class TestPreconditions:
    def test_a_move_that_saw_an_older_state_is_refused(
        self, client: TestClient, database: Database
    ) -> None:
        older, newer = register(database), register(database)
        put(client, older)
        seen = client.get(CHAMPION).headers["etag"]
        assert put(client, newer, headers={"If-Match": seen}).status_code == 200
        for headers in ({"If-Match": seen}, {"If-Match": f'"none", {seen}'}):
            late = put(client, older, headers=headers)
            assert refused(late) == (412, "precondition-failed")
        assert refused(client.delete(CHAMPION, headers={"If-Match": seen})) == (
            412,
            "precondition-failed",
        )
        assert client.get(CHAMPION).json()["model_id"] == newer

    def test_one_that_was_moved_away_and_back_is_another(
        self, client: TestClient, database: Database
    ) -> None:
        older, newer = register(database), register(database)
        put(client, older)
        seen = client.get(CHAMPION).headers["etag"]
        put(client, newer)
        put(client, older)
        assert refused(put(client, newer, headers={"If-Match": seen}))[0] == 412

    @on_sqlite
    def test_it_can_be_asked_to_be_new_or_to_be_there(
        self, client: TestClient, database: Database
    ) -> None:
        model_id = register(database)
        new, known = {"If-None-Match": "*"}, {"If-Match": "*"}
        assert put(client, model_id, headers=known).status_code == 412
        assert put(client, model_id, headers=new).status_code == 201
        assert put(client, model_id, headers=new).status_code == 412
        assert put(client, model_id, headers=known).status_code == 200
        # A weak tag says nothing of the bytes, and never matches here.
        weak = f"W/{client.get(CHAMPION).headers['etag']}"
        assert put(client, model_id, headers={"If-Match": weak}).status_code == 412
        assert put(client, model_id, headers={"If-None-Match": weak}).status_code == 412
        assert put(client, model_id, headers={"If-Match": ""}).status_code == 412
        assert client.delete(CHAMPION, headers=known).status_code == 204

    @on_sqlite
    def test_an_unchanged_alias_is_not_sent_again(
        self, client: TestClient, database: Database
    ) -> None:
        put(client, register(database))
        tag = client.get(CHAMPION).headers["etag"]
        assert client.get(CHAMPION, headers={"If-None-Match": tag}).status_code == 304

    def test_of_many_who_saw_the_same_one_moves_it(
        self, client: TestClient, database: Database
    ) -> None:
        models = [register(database) for _ in range(6)]
        put(client, models[0])
        seen = {"If-Match": client.get(CHAMPION).headers["etag"]}
        answers = _at_once([lambda to=to: put(client, to, headers=seen) for to in models[1:]])
        assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]
        won = next(answer for answer in answers if answer.status_code == 200)
        assert client.get(CHAMPION).json()["model_id"] == won.json()["model_id"]

    def test_of_many_who_make_it_one_does(self, client: TestClient, database: Database) -> None:
        models = [register(database) for _ in range(5)]
        new = {"If-None-Match": "*"}
        answers = _at_once([lambda to=to: put(client, to, headers=new) for to in models])
        assert sorted(answer.status_code for answer in answers) == [201, 412, 412, 412, 412]

    def test_many_moves_at_once_make_one_history(
        self, client: TestClient, database: Database
    ) -> None:
        models = [register(database) for _ in range(6)]
        answers = _at_once([lambda to=to: put(client, to) for to in models])
        assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
        step = {each["previous_model_id"]: each["model_id"] for each in _told(answers)}
        # Each began where another one ended: followed from nothing, they lead to the end.
        at, steps = None, 0
        while at in step:
            at, steps = step[at], steps + 1
        assert steps == 6
        assert client.get(CHAMPION).json()["model_id"] == at


class TestReadAliases:
    def test_all_of_a_name_stand_on_one_page(self, client: TestClient, database: Database) -> None:
        older, newer = register(database), register(database)
        put(client, older)
        page = client.get("/models/tickets/aliases").json()
        assert [(each["alias"], each["model_id"], each["version"]) for each in page["data"]] == [
            ("champion", older, 1),
            ("latest", newer, 2),
        ]
        assert (page["has_more"], page["first_id"], page["last_id"]) == (
            False,
            "champion",
            "latest",
        )
        assert page["data"][0] == client.get(CHAMPION).json()


class TestDeleteAlias:
    def test_the_model_stays(self, client: TestClient, database: Database) -> None:
        model_id = register(database)
        put(client, model_id)
        assert client.delete(CHAMPION).status_code == 204
        assert refused(client.get(CHAMPION)) == (404, "not-found")
        assert refused(client.delete(CHAMPION)) == (404, "not-found")
        assert client.get(f"/models/{model_id}").json()["aliases"] == ["latest"]
        assert put(client, model_id).status_code == 201

    @on_sqlite
    def test_latest_stays(self, client: TestClient, database: Database) -> None:
        register(database)
        answer = client.delete("/models/tickets/aliases/latest")
        assert refused(answer) == (409, "alias-reserved")


def _at_once(acts: list[Any]) -> list[Response]:
    gate = Barrier(len(acts))

    def act(each: Any) -> Response:
        gate.wait(timeout=10)
        answer: Response = each()
        return answer

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(act, acts))


def _told(answers: list[Response]) -> list[dict[str, Any]]:
    return [answer.json() for answer in answers]
