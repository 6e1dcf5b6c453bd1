"""Datasets found, listed and deleted."""

import pytest
from fastapi.testclient import TestClient

from core.db.session import Database
from core.ids import TenantId, new_dataset_id
from core.lifecycle import JobState
from tests.app.datasets.files import COUNTED, csv_file, upload
from tests.factories import make_dataset, make_job

NO_IDS = [
    "..%2f..%2fetc",
    "%2e%2e%5c",
    "ds_%00",
    "ds_" + "0" * 10_000,
    "ds_",
    "job_01K0ABCDEFGHJKMNPQRSTVWXYZ",
    "ds_01k0abcdefghjkmnpqrstvwxyz",
]


def make_many(database: Database, count: int) -> list[str]:
    """Ids of datasets, newest first."""
    with database.write() as session:
        made = [make_dataset(session, statistics=COUNTED).id for _ in range(count)]
    return sorted(made, reverse=True)


class TestListDatasets:
    def test_pages_come_newest_first_without_gaps(
        self, client: TestClient, database: Database
    ) -> None:
        made = make_many(database, 5)
        seen: list[str] = []
        after: dict[str, str] = {}
        while True:
            page = client.get("/datasets", params={"limit": 2, **after}).json()
            ids = [entry["id"] for entry in page["data"]]
            assert (page["object"], page["first_id"], page["last_id"]) == ("list", ids[0], ids[-1])
            seen += ids
            if not page["has_more"]:
                break
            after = {"after": page["last_id"]}
        assert seen == made

    def test_an_empty_list_is_a_page(self, client: TestClient) -> None:
        assert client.get("/datasets").json() == {
            "object": "list",
            "data": [],
            "has_more": False,
            "first_id": None,
            "last_id": None,
        }

    def test_deleted_ones_and_other_tenants_are_not_listed(
        self, client: TestClient, database: Database
    ) -> None:
        gone, kept = make_many(database, 2)
        with database.write() as session:
            make_dataset(session, tenant_id=TenantId("other"), statistics=COUNTED)
        client.delete(f"/datasets/{gone}")
        assert [entry["id"] for entry in client.get("/datasets").json()["data"]] == [kept]

    @pytest.mark.parametrize("limit", ["0", "-1", "101", "1e9", "abc", ""])
    def test_a_limit_outside_1_to_100_is_refused(
        self, shared_client: TestClient, limit: str
    ) -> None:
        answer = shared_client.get("/datasets", params={"limit": limit})
        assert (answer.status_code, answer.json()["code"]) == (422, "validation-error")

    @pytest.mark.parametrize("after", ["", "x", "ds_", "job_01K0ABCDEFGHJKMNPQRSTVWXYZ"])
    def test_a_made_up_cursor_is_refused(self, shared_client: TestClient, after: str) -> None:
        answer = shared_client.get("/datasets", params={"after": after})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")


class TestFindADataset:
    @pytest.mark.parametrize("part", ["", "/rows", "/issues"])
    def test_an_unknown_one_is_not_found(self, shared_client: TestClient, part: str) -> None:
        answer = shared_client.get(f"/datasets/{new_dataset_id()}{part}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")

    @pytest.mark.parametrize("name", NO_IDS)
    def test_what_is_no_id_is_not_found(self, shared_client: TestClient, name: str) -> None:
        for answer in (
            shared_client.get(f"/datasets/{name}"),
            shared_client.get(f"/datasets/{name}/rows"),
            shared_client.delete(f"/datasets/{name}"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")

    @pytest.mark.parametrize("part", ["", "/rows", "/issues"])
    def test_another_tenant_s_is_not_found(
        self, client: TestClient, database: Database, part: str
    ) -> None:
        with database.write() as session:
            foreign = make_dataset(session, tenant_id=TenantId("other"), statistics=COUNTED).id
        answer = client.get(f"/datasets/{foreign}{part}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        assert client.delete(f"/datasets/{foreign}").status_code == 404


class TestReadRows:
    @pytest.mark.parametrize("after", ["", "x", "-1", "1.5", "9" * 30, "\u0663"])
    def test_a_made_up_cursor_is_refused(self, shared_client: TestClient, after: str) -> None:
        made = upload(shared_client, "a.csv", csv_file()).json()
        for part in ("rows", "issues"):
            answer = shared_client.get(f"/datasets/{made['id']}/{part}", params={"after": after})
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")

    def test_after_the_last_row_comes_an_empty_page(self, shared_client: TestClient) -> None:
        made = upload(shared_client, "a.csv", csv_file()).json()
        page = shared_client.get(f"/datasets/{made['id']}/rows", params={"after": "39"}).json()
        assert (page["data"], page["has_more"]) == ([], False)

    def test_a_page_in_the_middle_of_many_is_right(self, shared_client: TestClient) -> None:
        texts = [f"text {n}" for n in range(10_000)]
        made = upload(shared_client, "a.csv", csv_file(texts)).json()
        for start in (4094, 4095, 8190, 9998):
            page = shared_client.get(
                f"/datasets/{made['id']}/rows", params={"after": str(start), "limit": 3}
            ).json()
            found = [(row["index"], row["text"]) for row in page["data"]]
            assert found == [(n, f"text {n}") for n in range(start + 1, min(start + 4, 10_000))]
            assert page["has_more"] == (start + 4 < 10_000)


class TestDeleteADataset:
    def test_it_is_gone_for_good(self, client: TestClient) -> None:
        made = upload(client, "a.csv", csv_file()).json()
        answer = client.delete(f"/datasets/{made['id']}")
        assert (answer.status_code, answer.content) == (204, b"")
        for gone in (
            client.get(f"/datasets/{made['id']}"),
            client.get(f"/datasets/{made['id']}/rows"),
            client.get(f"/datasets/{made['id']}/issues"),
            client.delete(f"/datasets/{made['id']}"),
        ):
            assert (gone.status_code, gone.json()["code"]) == (410, "gone")

    @pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
    @pytest.mark.parametrize("part", ["dataset_id", "evaluation_dataset_id"])
    def test_one_that_a_job_reads_stays(
        self, client: TestClient, database: Database, state: JobState, part: str
    ) -> None:
        with database.write() as session:
            used = make_dataset(session, statistics=COUNTED).id
            job = make_job(session, state=state, **{part: used}).id
        answer = client.delete(f"/datasets/{used}")
        assert (answer.status_code, answer.json()["code"]) == (409, "resource-in-use")
        assert job in answer.json()["detail"]
        assert client.get(f"/datasets/{used}").status_code == 200

    @pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED])
    def test_jobs_that_ended_do_not_keep_it(
        self, client: TestClient, database: Database, state: JobState
    ) -> None:
        with database.write() as session:
            used = make_dataset(session, statistics=COUNTED).id
            make_job(session, state=state, dataset_id=used)
        assert client.delete(f"/datasets/{used}").status_code == 204
