"""What a tenant may keep, all together."""

from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from core.config import Settings
from core.db.repositories.storage import stored_bytes
from core.db.session import Database
from core.ids import TenantId
from core.lifecycle import JobState
from tests.app.conftest import BASE_URL
from tests.app.datasets.files import COUNTED, TEXTS, csv_file, upload
from tests.factories import TENANT, make_dataset, make_job, make_model

QUOTA = 2**20


@pytest.fixture
def limited(settings: Settings) -> TestClient:
    app = create_app(settings.model_copy(update={"max_tenant_bytes": QUOTA}))
    return TestClient(app, base_url=BASE_URL)


def keep(database: Database, size: int) -> str:
    with database.write() as session:
        return make_dataset(session, size_bytes=size, statistics=COUNTED).id


def test_an_upload_beyond_it_is_refused_and_leaves_nothing(
    limited: TestClient, database: Database
) -> None:
    content = csv_file(TEXTS)
    keep(database, QUOTA - len(content) + 1)
    with limited:
        refused = upload(limited, "texts.csv", content)
        assert (refused.status_code, refused.json()["code"]) == (413, "quota-exceeded")
        assert len(limited.get("/datasets").json()["data"]) == 1


def test_what_just_fits_is_taken(limited: TestClient, database: Database) -> None:
    content = csv_file(TEXTS)
    keep(database, QUOTA - len(content))
    with limited:
        assert upload(limited, "texts.csv", content).status_code == 201


def test_deleting_makes_room(limited: TestClient, database: Database) -> None:
    kept = keep(database, QUOTA)
    with limited:
        assert upload(limited, "texts.csv", csv_file(TEXTS)).status_code == 413
        assert limited.delete(f"/datasets/{kept}").status_code == 204
        assert upload(limited, "texts.csv", csv_file(TEXTS)).status_code == 201


def test_datasets_and_models_count_and_those_of_others_do_not(database: Database) -> None:
    with database.write() as session:
        make_dataset(session, size_bytes=100)
        make_dataset(session, size_bytes=1000, deleted_at=datetime.now(UTC))
        make_dataset(session, size_bytes=10_000, tenant_id=TenantId("other"))
        before = stored_bytes(session, TENANT)
        job = make_job(session, state=JobState.SUCCEEDED)
        made = stored_bytes(session, TENANT)
        make_model(session, job, "tree")
        assert before == 100
        assert stored_bytes(session, TENANT) == made + 1
