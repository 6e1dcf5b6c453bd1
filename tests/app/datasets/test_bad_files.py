"""Every odd file that we know of, and what it gets."""

import pytest
from fastapi.testclient import TestClient

from tests.app.datasets.bad_files import REFUSED, Bad
from tests.app.datasets.files import upload
from tests.app.datasets.tolerable_files import TOLERATED, Tolerated


class TestUploadAFile:
    @pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.story)
    def test_a_bad_file_is_refused_by_its_own_name(
        self, shared_client: TestClient, case: Bad
    ) -> None:
        answer = upload(shared_client, case.name, case.content, fields=case.fields)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (case.status, case.code), problem["detail"]
        assert case.says in problem["detail"]
        assert problem["type"] == f"/problems/{case.code}"

    @pytest.mark.parametrize("case", TOLERATED, ids=lambda case: case.story)
    def test_a_tolerable_file_is_taken(self, shared_client: TestClient, case: Tolerated) -> None:
        answer = upload(shared_client, case.name, case.content, fields=case.fields)
        assert answer.status_code == 201, answer.json()
        counted = answer.json()["statistics"]
        assert counted["set_aside_by_code"] == case.set_aside
        assert counted["rows"] == (counted["unique"] + counted["duplicates"] + counted["set_aside"])
